//! Secrets that would let anybody in are refused, whichever way they come; with the mend, and never quoted.

use std::fs;

use crate::server::Directory;

const WEAK: [(&str, &str); 3] = [("", "is empty"), ("  \t ", "is blank"), ("s3cr3t!", "is too short")];
const NAMES: [(&str, &str); 2] =
    [("publish_key", "HEADWATER_PUBLISH_KEY"), ("admin_token", "HEADWATER_ADMIN_TOKEN")];

/// Runs a command that is to fail; what it says on standard error.
fn fail(command: &str, config: &str, environment: &[(&str, &str)], kept: Option<&str>) -> String {
    let directory = Directory::new();
    if let Some(kept) = kept {
        fs::create_dir_all(directory.0.join("data")).unwrap();
        fs::write(directory.0.join("data/secrets.toml"), kept).unwrap();
    }
    let mut program = directory.command(command, config, environment);
    if command != "check" {
        program.args(["--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    }
    let output = program.output().unwrap();
    let (said, out) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(!output.status.success(), "{command} takes {config:?} {environment:?} {kept:?}");
    assert!(!said.contains("s3cr3t") && !out.contains("s3cr3t"), "{said}{out}");
    said.into_owned()
}

#[test]
fn weak_secrets_are_refused_whichever_way_they_come() {
    for command in ["check", "serve"] {
        for (weak, fault) in WEAK {
            for (name, variable) in NAMES {
                let said = fail(command, &format!("[access]\n{name} = \"{weak}\"\n"), &[], None);
                assert!(
                    said.contains(&format!("[access] {name} {fault}")) && said.contains("leave the line out"),
                    "{said}"
                );
                let said = fail(command, "", &[(variable, weak)], None);
                assert!(
                    said.contains(&format!("{variable} {fault}")) && said.contains("unset the variable"),
                    "{said}"
                );
                let kept = NAMES.map(|(kept, _)| {
                    format!("{kept} = \"{}\"\n", if kept == name { weak } else { "bcdfghjkmnpq" })
                });
                let said = fail(command, "", &[], Some(&kept.concat()));
                assert!(said.contains("secrets.toml") && said.contains(fault), "{said}");
                assert!(said.contains("at least 8 letters") && said.contains("delete the file"), "{said}");
            }
        }
    }
}

#[test]
fn the_secrets_of_another_data_directory_are_those_that_count() {
    let elsewhere = Directory::new();
    fs::write(elsewhere.0.join("secrets.toml"), "publish_key = \"s3cr3t!\"\nadmin_token = \"s3cr3t!\"\n")
        .unwrap();
    for command in ["check", "serve"] {
        let said = fail(command, "", &[("HEADWATER_DATA", elsewhere.0.to_str().unwrap())], None);
        assert!(said.contains("secrets.toml is too short"), "{said}");
    }
}

#[test]
fn what_is_no_configuration_is_explained_without_the_secret_in_it() {
    for config in [
        "[access]\npublish_key = \"s3cr3t-of-mine\n",
        "[access]\nadmin_tokn = \"s3cr3t-of-mine\"\n",
        "[access]\nadmin_token = s3cr3t-of-mine\n",
        "access = \"s3cr3t-of-mine\"\n",
    ] {
        for command in ["check", "serve"] {
            let said = fail(command, config, &[], None);
            assert!(said.contains("line "), "{said}");
        }
    }
    let said = fail("serve", "", &[], Some("publish_key = s3cr3t-of-mine\n"));
    assert!(said.contains("is damaged") && said.contains("Delete it"), "{said}");
}
