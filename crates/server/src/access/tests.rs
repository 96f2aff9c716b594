//! Who may do what, in words and in a table; and that secrets stay secret.

use std::fs;

use super::*;
use crate::live::Setting;

fn rule(publish: PublishRule) -> Live<PublishRule> {
    Setting::new(publish).live()
}

fn access(publish: PublishRule, trust_local: bool) -> Access {
    let secret = |text: &str| Secret::from(text.to_owned());
    Access {
        rule: rule(publish),
        trust_local,
        publish_key: secret("pa/ss+wo=rd%"),
        admin_token: secret("t/o k+e;n=%2F"),
        sources: (SecretSource::Configured, SecretSource::Configured),
        file: PathBuf::new(),
        sessions: Sessions::new(Duration::from_secs(60)),
        signs: Arc::default(),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What becomes of a question about `live/cam`: nothing said, or the reason.
async fn reason(access: &Access, action: Action, address: SocketAddr, key: Option<&str>) -> Option<Reason> {
    let request = AccessRequest {
        action,
        peer: access.peer(Origin::direct(address)),
        name: "live/cam",
        key,
        session: None,
    };
    match access.authorize(request).await {
        Decision::Allow => None,
        Decision::Refuse { reason, .. } => Some(reason),
    }
}

#[tokio::test]
async fn who_may_publish() {
    let keys = [None, Some(""), Some("wrong-wrong"), Some("pa/ss+wo=rd%")];
    let refused = [Some(Reason::Missing), Some(Reason::Missing), Some(Reason::Wrong), None];
    let (here, mapped, there) =
        (address("127.0.0.1:1"), address("[::ffff:127.0.0.1]:1"), address("192.0.2.1:1"));
    for (rule, trust_local, from, expected) in [
        (PublishRule::LocalOrKey, true, here, [None; 4]),
        (PublishRule::LocalOrKey, true, mapped, [None; 4]),
        (PublishRule::LocalOrKey, true, there, refused),
        (PublishRule::LocalOrKey, false, here, refused),
        (PublishRule::LocalOrKey, false, there, refused),
        (PublishRule::Key, true, here, refused),
        (PublishRule::Key, true, there, refused),
        (PublishRule::Open, true, there, [None; 4]),
        (PublishRule::Open, false, there, [None; 4]),
    ] {
        let access = access(rule, trust_local);
        for (key, expected) in keys.into_iter().zip(expected) {
            let reason = reason(&access, Action::Publish, from, key).await;
            assert_eq!(reason, expected, "{rule:?}, local is trusted: {trust_local}, {from}, {key:?}");
        }
    }
}

#[test]
fn nobody_behind_a_proxy_is_local() {
    let access = access(PublishRule::LocalOrKey, true);
    for from in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"].map(address) {
        assert!(access.peer(Origin::direct(from)).is_local, "{from}");
        assert!(!access.peer(Origin::behind_proxy(from)).is_local, "{from}");
    }
}

#[tokio::test]
async fn everybody_watches_and_admins_have_the_token_or_are_here() {
    let access = access(PublishRule::LocalOrKey, true);
    let (here, there) = (address("127.0.0.1:1"), address("192.0.2.1:1"));
    assert_eq!(reason(&access, Action::Play, there, Some("wrong-wrong")).await, None);
    assert_eq!(reason(&access, Action::Admin, here, Some("wrong-wrong")).await, None);
    assert_eq!(reason(&access, Action::Admin, there, None).await, Some(Reason::Missing));
    assert_eq!(reason(&access, Action::Admin, there, Some("pa/ss+wo=rd%")).await, Some(Reason::Wrong));
    assert_eq!(reason(&access, Action::Admin, there, Some("t/o k+e;n=%2F")).await, None);
}

#[tokio::test]
async fn a_session_opens_what_the_token_does_until_it_is_ended_and_publishes_nothing() {
    let access = access(PublishRule::Key, true);
    let there = access.peer(Origin::direct(address("192.0.2.1:1")));
    let ask = async |action, key, session| {
        let request = AccessRequest { action, peer: there, name: "live/cam", key, session };
        access.authorize(request).await
    };
    let (session, length) = access.begin_session().unwrap();
    assert_eq!(length, Duration::from_secs(60));
    assert_eq!(ask(Action::Admin, None, Some(&session)).await, Decision::Allow);
    // A token that is shown counts, and is no session.
    let wrong = ask(Action::Admin, Some(&session), Some(&session)).await;
    assert!(matches!(wrong, Decision::Refuse { reason: Reason::Wrong, .. }), "{wrong:?}");
    let publish = ask(Action::Publish, None, Some(&session)).await;
    assert!(matches!(publish, Decision::Refuse { reason: Reason::Missing, .. }), "{publish:?}");
    access.end_session(&session);
    for session in [session.as_str(), "t/o k+e;n=%2F", "bcdfghjkmnpqbcdfghjkmnpqbc"] {
        let refused = ask(Action::Admin, None, Some(session)).await;
        let Decision::Refuse { reason: Reason::Missing, text } = refused else { panic!("{refused:?}") };
        assert!(text.contains("the session is over"), "{text}");
    }
}

#[test]
fn a_session_lasts_an_hour_at_least_and_a_year_at_most() {
    for (session_hours, is_valid) in [(0, false), (1, true), (8_760, true), (8_761, false)] {
        let config = Config { session_hours, ..Config::default() };
        assert_eq!(config.check().is_ok(), is_valid, "{session_hours}");
    }
}

#[tokio::test]
async fn a_key_may_be_coded_once_and_as_a_form_does_it() {
    let access = access(PublishRule::Key, true);
    for (key, is_right) in [
        ("pa/ss+wo=rd%", true),
        ("pa%2Fss%2Bwo%3Drd%25", true),
        ("pa%2fss+wo=rd%25", true),
        ("pa%252Fss%252Bwo%253Drd%2525", false),
        ("pa/ss wo=rd%", false),
        ("pa", false),
    ] {
        let reason = reason(&access, Action::Publish, address("192.0.2.1:1"), Some(key)).await;
        assert_eq!(reason.is_none(), is_right, "{key}");
    }
    for (token, is_right) in
        [("t/o k+e;n=%2F", true), ("t%2Fo+k%2Be%3Bn%3D%252F", true), ("t/o k+e;n=/", false)]
    {
        assert_eq!(access.is_admin_token(token), is_right, "{token}");
    }
}

#[tokio::test]
async fn nobody_is_told_of_another_machine_who_is_on_this_one() {
    let text = async |access: Access, from: &str| {
        let peer = access.peer(Origin::direct(address(from)));
        let request =
            AccessRequest { action: Action::Publish, peer, name: "live/cam", key: None, session: None };
        match access.authorize(request).await {
            Decision::Allow => panic!("it is allowed"),
            Decision::Refuse { text, .. } => text,
        }
    };
    let says = "another machine";
    assert!(text(access(PublishRule::LocalOrKey, true), "192.0.2.1:1").await.contains(says));
    assert!(!text(access(PublishRule::LocalOrKey, false), "127.0.0.1:1").await.contains(says));
    assert!(!text(access(PublishRule::Key, true), "127.0.0.1:1").await.contains(says));
}

#[tokio::test]
async fn a_secret_is_no_name() {
    let access = access(PublishRule::Open, true);
    for (name, action) in [
        ("live/pa/ss+wo=rd%", Action::Publish),
        ("live/x-pa/ss+wo=rd%", Action::Play),
        ("t/o k+e;n=%2F/a", Action::Play),
    ] {
        let peer = access.peer(Origin::direct(address("127.0.0.1:1")));
        let decision = access.authorize(AccessRequest { action, peer, name, key: None, session: None }).await;
        assert!(matches!(decision, Decision::Refuse { reason: Reason::Misplaced, .. }), "{name}");
        assert!(!access.masked(name).contains("ss+wo") && !access.masked(name).contains("k+e"), "{name}");
    }
    assert_eq!(access.masked("GET /live/t%2Fo%20k%2Be%3Bn%3D%252F.flv"), "GET /live/….flv");
    assert_eq!(format!("{:?}", access.publish_key), "…");
}

#[test]
fn a_secret_is_found_in_a_query_under_any_name() {
    let access = access(PublishRule::Open, true);
    for query in [
        [("a", "b"), ("kei", "pa/ss+wo=rd%")],
        [("a", "b"), ("token", "t%2Fo+k%2Be%3Bn%3D%252F")],
        [("a", "b"), ("pa/ss+wo", "rd%")],
        [("pa%2Fss%2Bwo%3Drd%25", ""), ("a", "b")],
    ] {
        assert!(access.is_secret_in(query.into_iter()), "{query:?}");
    }
    assert!(!access.is_secret_in([("pa", ""), ("key", "pa/ss+wo")].into_iter()));
}

#[test]
fn secrets_are_made_once_and_kept() {
    let data = std::env::temp_dir().join(format!("headwater-access-{}", std::process::id()));
    let first = Access::open(&Config::default(), rule(PublishRule::default()), &data).unwrap();
    let again = Access::open(&Config::default(), rule(PublishRule::default()), &data).unwrap();
    assert_eq!(first.secret_sources(), (SecretSource::Made, SecretSource::Made));
    assert_eq!(again.secret_sources(), (SecretSource::Kept, SecretSource::Kept));
    assert_eq!(first.secrets_file(), data.join(secrets::FILE));
    assert_eq!((&first.publish_key, &first.admin_token), (&again.publish_key, &again.admin_token));
    assert!(first.publish_key != first.admin_token);
    assert_eq!(first.publish_key.reveal().len(), secrets::MADE_LETTERS);
    fs::remove_dir_all(&data).unwrap();
}

#[test]
fn weak_secrets_of_an_earlier_start_are_refused_unless_others_are_in_force() {
    let data = std::env::temp_dir().join(format!("headwater-weak-{}", std::process::id()));
    fs::create_dir_all(&data).unwrap();
    let file = data.join(secrets::FILE);
    for (weak, fault) in [("", "is empty"), ("   ", "is blank"), ("s3cr3t", "is too short")] {
        let strong = "bcdfghjkmnpq";
        for (key, token, name) in [(weak, strong, "publish_key"), (strong, weak, "admin_token")] {
            fs::write(&file, format!("publish_key = \"{key}\"\nadmin_token = \"{token}\"\n")).unwrap();
            for error in [
                Access::open(&Config::default(), rule(PublishRule::default()), &data)
                    .unwrap_err()
                    .to_string(),
                Config::default().check_file(&data).unwrap_err().to_string(),
            ] {
                assert!(error.starts_with(&format!("{name} in {} {fault}", file.display())), "{error}");
                assert!(error.contains("delete the file") && !error.contains("s3cr3t"), "{error}");
            }
        }
    }
    let mut config = Config::default();
    config.take_environment(None, Some("another-token".to_owned())).unwrap();
    let access = Access::open(&config, rule(PublishRule::default()), &data).unwrap();
    assert_eq!(access.secret_sources(), (SecretSource::Kept, SecretSource::Configured));
    fs::write(&file, "publish_key = s3cr3t\n").unwrap();
    let error =
        Access::open(&Config::default(), rule(PublishRule::default()), &data).unwrap_err().to_string();
    assert!(error.contains("is damaged") && !error.contains("s3cr3t"), "{error}");
    fs::remove_dir_all(&data).unwrap();
}
