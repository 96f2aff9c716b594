//! As much of XML as a document of subtitles needs: tags, attributes, text. No document type is read, so there are no
//! entities but the five that XML has by itself.

use std::borrow::Cow;

/// What a document is made of, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A start tag.
    Open(Tag<'a>),
    /// The end of the element that was begun last.
    Close,
    /// Characters between tags.
    Text(Cow<'a, str>),
}

/// A start tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// Its name without a prefix.
    pub(super) name: &'a str,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// The value of an attribute, whatever its prefix.
    pub(super) fn attribute(&self, wanted: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.attributes;
        loop {
            let (name, behind) = rest.split_once('=')?;
            let behind = behind.trim_start();
            let quote = behind.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, behind) = behind[1..].split_once(quote)?;
            if local(name.trim()) == wanted {
                return unescaped(value);
            }
            rest = behind;
        }
    }
}

/// Reads a document from its start. It ends with the first thing that is no XML, which is an error in words.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The last start tag was the element's end too.
    closes: bool,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(document: &'a str) -> Self {
        Self { rest: document, closes: false }
    }

    fn take(&mut self) -> Result<Option<Token<'a>>, &'static str> {
        const CUT: &str = "it ends in the middle of a tag";
        if std::mem::take(&mut self.closes) {
            return Ok(Some(Token::Close));
        }
        loop {
            let rest = self.rest;
            let Some(tag) = rest.strip_prefix('<') else {
                if rest.is_empty() {
                    return Ok(None);
                }
                let (text, behind) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
                self.rest = behind;
                let text = unescaped(text).ok_or("it has an entity that XML does not have by itself")?;
                return Ok(Some(Token::Text(text)));
            };
            if let Some(comment) = tag.strip_prefix("!--") {
                self.rest = comment.split_once("-->").ok_or(CUT)?.1;
            } else if let Some(text) = tag.strip_prefix("![CDATA[") {
                let (text, behind) = text.split_once("]]>").ok_or(CUT)?;
                self.rest = behind;
                return Ok(Some(Token::Text(Cow::Borrowed(text))));
            } else if let Some(instruction) = tag.strip_prefix('?') {
                self.rest = instruction.split_once("?>").ok_or(CUT)?.1;
            } else if tag.starts_with('!') {
                return Err("it declares a document type");
            } else {
                let (tag, behind) = tag.split_at(end_of_tag(tag).ok_or(CUT)?);
                self.rest = &behind[1..];
                if tag.starts_with('/') {
                    return Ok(Some(Token::Close));
                }
                let whole = tag.strip_suffix('/');
                self.closes = whole.is_some();
                let tag = whole.unwrap_or(tag);
                let (name, attributes) =
                    tag.split_at(tag.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(tag.len()));
                return Ok(Some(Token::Open(Tag { name: local(name), attributes })));
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.take().transpose();
        if matches!(taken, Some(Err(_))) {
            self.rest = "";
        }
        taken
    }
}

/// Where the `>` stands that ends a tag: not in a value.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quoted = None;
    tag.bytes().position(|byte| {
        match quoted {
            Some(quote) if byte == quote => quoted = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'\'') => quoted = Some(byte),
            None => return byte == b'>',
        }
        false
    })
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The characters that a text stands for; `None` if it names some that it does not say.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let Some((before, mut rest)) = text.split_once('&') else { return Some(Cow::Borrowed(text)) };
    let mut out = before.to_owned();
    loop {
        let (name, behind) = rest.split_once(';')?;
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                    None => number.parse(),
                };
                char::from_u32(code.ok()?)?
            }
        });
        let Some((text, next)) = behind.split_once('&') else {
            out.push_str(behind);
            return Some(Cow::Owned(out));
        };
        out.push_str(text);
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_attributes_and_text() {
        let document = "<?xml version='1.0'?><!-- <p> --><tt:p xml:id = \"a>b\" begin='1s'>x &lt;&#x20AC;&#33; y\
                        <tt:br/><![CDATA[<&>]]></tt:p>";
        let tokens: Vec<Token<'_>> = Tokens::new(document).collect::<Result<_, _>>().unwrap();
        let [Token::Open(p), text, Token::Open(br), Token::Close, cdata, Token::Close] = &tokens[..] else {
            panic!("{tokens:?}")
        };
        assert_eq!((p.name, br.name), ("p", "br"));
        assert_eq!(p.attribute("id").as_deref(), Some("a>b"));
        assert_eq!(p.attribute("begin").as_deref(), Some("1s"));
        assert_eq!((p.attribute("end"), br.attribute("id")), (None, None));
        assert_eq!(*text, Token::Text("x <€! y".into()));
        assert_eq!(*cdata, Token::Text("<&>".into()));
    }

    #[test]
    fn what_is_no_xml_is_said() {
        for (document, error) in [
            ("<!DOCTYPE tt [<!ENTITY a \"b\">]><tt/>", "document type"),
            ("<p>&nbsp;</p>", "entity"),
            ("<p>&#xD800;</p>", "entity"),
            ("a & b", "entity"),
            ("<p", "in the middle"),
            ("<p a='>", "in the middle"),
            ("<!-- ", "in the middle"),
        ] {
            let said = Tokens::new(document).find_map(Result::err);
            assert!(said.is_some_and(|said| said.contains(error)), "{document}: {said:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_an_end(text in "[<>/!?&;#a='\" \\-\\[\\]x1é]{0,60}") {
            prop_assert!(Tokens::new(&text).count() <= 2 * text.len() + 1);
            let tag = Tag { name: "p", attributes: &text };
            let _ = tag.attribute("a");
        }
    }
}
