//! The pages: the console, the watch page and their files, as built into the binary, and two that the server writes
//! itself, in the browser's language: the login, and the one for what is not there.

use axum::Extension;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::asker::Asker;
use super::assets::{self, Asset, CONTENT_SECURITY_POLICY};
use super::negotiation::{Language, codings, language, takes_html};
use super::preconditions::if_none_match;

/// Written pages have a style sheet, a form and nothing else.
const WRITTEN_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

const LOGIN: &str = include_str!("pages/login.html");
const MISSING: &str = include_str!("pages/missing.html");
const STYLE: &str = include_str!("pages/house.css");

/// Why somebody is not let in by the login page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginProblem {
    NoToken,
    WrongToken,
}

/// `/`
pub(super) async fn console(headers: HeaderMap) -> Response {
    file("/", &headers)
}

/// `/watch/<app>/<name>`: the page reads the name from its own address. Pages of other origins may show it in a frame
/// where the configuration says so.
pub(super) async fn watch(headers: HeaderMap, Extension(asker): Extension<Asker>) -> Response {
    let mut page = file("/watch", &headers);
    let origins = Some(asker.config.embed_origins.join(" ")).filter(|origins| !origins.is_empty());
    let policy = origins.map(|origins| HeaderValue::try_from(format!("{CONTENT_SECURITY_POLICY} {origins}")));
    if let Some(Ok(policy)) = policy {
        page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    page
}

/// `/login`
pub(super) async fn login(headers: HeaderMap) -> Response {
    login_page(&headers, None)
}

/// `/house.css`: how the written pages look.
pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], STYLE)
        .into_response()
}

/// The login page, and why the last try was none.
pub(super) fn login_page(headers: &HeaderMap, problem: Option<LoginProblem>) -> Response {
    let chosen = language(headers);
    let words = |english, chinese| match chosen {
        Language::English => english,
        Language::Chinese => chinese,
    };
    let problem = match problem {
        None => "",
        Some(LoginProblem::NoToken) => words("Type in the admin token.", "请输入管理令牌。"),
        Some(LoginProblem::WrongToken) => words("That is not the admin token.", "管理令牌不正确。"),
    };
    let why = words(
        "The console needs the admin token. The server printed it at its first start and keeps it in \
         <code>secrets.toml</code> in its data directory.",
        "控制台需要管理令牌。服务器首次启动时打印过它，并保存在数据目录的 <code>secrets.toml</code> 中。",
    );
    written(
        chosen,
        LOGIN,
        &[
            ("title", words("Log in", "登录")),
            ("why", why),
            ("problem", problem),
            ("token", words("Admin token", "管理令牌")),
            ("open", words("Open the console", "打开控制台")),
        ],
    )
}

/// A built file, or 404: as a page for browsers, as a line for programs.
pub(super) fn file(path: &str, headers: &HeaderMap) -> Response {
    match assets::find(path) {
        Some(asset) => guarded(serve(asset, headers), CONTENT_SECURITY_POLICY),
        None if takes_html(headers) => {
            let mut page = missing_page(headers);
            *page.status_mut() = StatusCode::NOT_FOUND;
            page
        }
        None => (
            StatusCode::NOT_FOUND,
            "there is nothing here; streams are at /<app>/<name>.flv and /watch/<app>/<name>\n",
        )
            .into_response(),
    }
}

fn missing_page(headers: &HeaderMap) -> Response {
    let chosen = language(headers);
    let words = |english, chinese| match chosen {
        Language::English => english,
        Language::Chinese => chinese,
    };
    let detail = words(
        "A stream is watched at <code>/watch/live/NAME</code>, a film at <code>/watch/vod/FILM.mp4</code>. If you were \
         given a link, check that it is complete.",
        "直播在 <code>/watch/live/名称</code> 观看，影片在 <code>/watch/vod/影片.mp4</code> 观看。如果您是通过链接来的，\
         请检查链接是否完整。",
    );
    written(
        chosen,
        MISSING,
        &[
            ("title", words("There is nothing here", "这里什么都没有")),
            ("detail", detail),
            ("home", words("To the console", "前往控制台")),
        ],
    )
}

/// A page that the server writes: `template` with its places filled.
fn written(language: Language, template: &str, words: &[(&str, &str)]) -> Response {
    let lang = match language {
        Language::English => "en",
        Language::Chinese => "zh-CN",
    };
    let filled = words.iter().fold(template.replace("{lang}", lang), |page, (place, words)| {
        page.replace(&format!("{{{place}}}"), words)
    });
    let fixed = [(header::VARY, "Accept-Language"), (header::CACHE_CONTROL, "no-store")];
    guarded((fixed, Html(filled)).into_response(), WRITTEN_SECURITY_POLICY)
}

/// In the form that the client likes best. Caches are told that there are others.
fn serve(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let Some(form) = asset.form(&codings(headers)) else { return StatusCode::NOT_FOUND.into_response() };
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed =
        [(header::CACHE_CONTROL, cache), (header::ETAG, form.etag), (header::VARY, "Accept-Encoding")];
    if if_none_match(headers, form.etag) == Some(true) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    let mut response = (fixed, [(header::CONTENT_TYPE, asset.content_type)], form.bytes).into_response();
    if let Some(coding) = form.coding.name() {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn guarded(mut response: Response, policy: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests;
