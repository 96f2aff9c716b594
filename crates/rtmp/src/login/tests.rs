//! Both sides of the login against each other, and against bytes from elsewhere.

use headwater_media::amf::Object;

use super::*;
use crate::command::Command;

const NONCE: Nonce = Nonce([7; 32]);

fn ann() -> Credentials {
    Credentials { user: "ann".into(), password: "s3cret".into() }
}

fn connect(query: &str) -> ConnectRequest {
    let object = Object::new().with("app", format!("live{query}").as_str());
    ConnectRequest::read(&Command::new("connect", 1.0).object(object))
}

fn judge(desk: &LoginDesk, query: &str, now_s: u64) -> Verdict {
    desk.judge(&connect(query), now_s, &NONCE, |user| (user == "ann").then(|| "s3cret".into()))
}

fn asked(verdict: Verdict) -> String {
    match verdict {
        Verdict::Asked { description } => description,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_answer_is_what_others_compute() {
    // Made with Python's hashlib and base64 after the description in FFmpeg's rtmpproto.c.
    let response = response("ann", "c2FsdA==", "s3cret", "b3BhcXVl", "0badcafe");
    assert_eq!(response, "3YfUP7SsgPEEiC7IUo4c+Q==");
}

#[test]
fn ffmpeg_logs_in() {
    // What ffmpeg 5.1.9 answered to a server with this secret, with the URL rtmp://ann:s3cret@…, and with a
    // wrong password.
    let desk = LoginDesk::new([7; 32]);
    let asked = "0000000000000005d70971aa7fe0db869e4336a9dbacda950c27a791319ef0e1";
    let right = format!(
        "?authmod=adobe&user=ann&challenge=bb349281&response=vUHUzYtL0PVhy7ApHtEsjw==&opaque={asked}"
    );
    assert_eq!(judge(&desk, &right, 5), Verdict::Granted { user: "ann".into() });
    let asked = "0000000000000005fff0332cf6964b3d2b7b26d4ecef4720f75e26c8027c0281";
    let wrong = format!(
        "?authmod=adobe&user=ann&challenge=51cddd4e&response=EHviN0X1IK2R6EzDenibPA==&opaque={asked}"
    );
    assert!(matches!(judge(&desk, &wrong, 5), Verdict::Refused { .. }));
}

#[test]
fn three_connections_make_a_login() {
    let desk = LoginDesk::new([9; 32]);
    let first = next_query(&ann(), "", &asked(judge(&desk, "", 100)), &NONCE).unwrap();
    assert_eq!(first, "?authmod=adobe&user=ann");
    let description = asked(judge(&desk, &first, 100));
    assert!(description.contains("?reason=needauth&user=ann&salt="), "{description}");
    let second = next_query(&ann(), &first, &description, &NONCE).unwrap();
    assert_eq!(judge(&desk, &second, 101), Verdict::Granted { user: "ann".into() });
    // Too late, in another's name, to another server, and twice: none of it.
    assert!(matches!(judge(&desk, &second, 161), Verdict::Refused { .. }));
    assert!(matches!(judge(&desk, &second, 99), Verdict::Refused { .. }));
    let bob = second.replace("user=ann", "user=bob");
    assert!(matches!(judge(&desk, &bob, 101), Verdict::Refused { user, .. } if user == "bob"));
    assert!(matches!(judge(&LoginDesk::new([8; 32]), &second, 101), Verdict::Refused { .. }));
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_alike_and_end_the_dialogue() {
    let desk = LoginDesk::new([9; 32]);
    for (user, password) in [("ann", "wrong"), ("zoe", "s3cret")] {
        let who = Credentials { user: user.into(), password: password.into() };
        let first = next_query(&who, "", &asked(judge(&desk, "", 0)), &NONCE).unwrap();
        let second = next_query(&who, &first, &asked(judge(&desk, &first, 0)), &NONCE).unwrap();
        let Verdict::Refused { description, .. } = judge(&desk, &second, 0) else { panic!() };
        assert!(description.starts_with("[ authmod=adobe ] : ?reason=authfailed"), "{description}");
        assert_eq!(next_query(&who, &second, &description, &NONCE), None);
    }
}

#[test]
fn forged_and_broken_answers_are_refused() {
    let desk = LoginDesk::new([9; 32]);
    for query in [
        "?authmod=adobe&user=ann&challenge=1&response=",
        "?authmod=adobe&user=ann&challenge=1&response=x&opaque=é€🎥é€🎥é€🎥é€🎥",
        "?authmod=adobe&user=ann&challenge=&response=x&opaque=00000000000000000000000000000000",
    ] {
        assert!(matches!(judge(&desk, query, 0), Verdict::Refused { .. }), "{query}");
    }
    for query in ["?authmod=llnw&user=ann", "?authmod=adobe&user=", "?user=ann"] {
        assert!(asked(judge(&desk, query, 0)).contains("code=403 need auth; authmod=adobe"), "{query}");
    }
}

#[test]
fn flash_media_servers_words_are_understood() {
    let description = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=ann\
        &salt=c2FsdA==&challenge=Y2hhbA==&opaque=b3BhcXVl ]";
    let query = next_query(&ann(), "?authmod=adobe&user=ann", description, &NONCE).unwrap();
    let said = Query::parse([&query[1..]]);
    let challenge = said.get("challenge").unwrap();
    assert_eq!(challenge.len(), 8);
    let right = response("ann", "c2FsdA==", "s3cret", "b3BhcXVl", challenge);
    assert_eq!((said.get("response"), said.get("opaque")), (Some(&*right), Some("b3BhcXVl")));
    // Without `opaque` the challenge is answered, and nothing sent back.
    let bare = description.replace("&opaque=b3BhcXVl", "");
    let query = next_query(&ann(), "?authmod=adobe&user=ann", &bare, &NONCE).unwrap();
    assert!(!query.contains("opaque="), "{query}");
    // No login of Adobe's, or no login at all.
    assert_eq!(next_query(&ann(), "", "[ code=403 need auth; authmod=llnw ]", &NONCE), None);
    assert_eq!(next_query(&ann(), "", "The stream is taken.", &NONCE), None);
}

#[test]
fn names_are_escaped_and_passwords_never_printed() {
    let odd = Credentials { user: "a&b?=é c".into(), password: "s3cret".into() };
    let query = next_query(&odd, "", "[ code=403 need auth; authmod=adobe ]", &NONCE).unwrap();
    assert_eq!(query, "?authmod=adobe&user=a%26b%3F%3Dé%20c");
    let desk = LoginDesk::new([9; 32]);
    let question = asked(judge(&desk, &query, 0));
    let answer = next_query(&odd, &query, &question, &NONCE).unwrap();
    let verdict = desk.judge(&connect(&answer), 0, &NONCE, |_| Some("s3cret".into()));
    assert_eq!(verdict, Verdict::Granted { user: odd.user.clone() });
    assert_eq!(format!("{odd:?} {desk:?}"), "Credentials(\"a&b?=é c\") LoginDesk");
}
