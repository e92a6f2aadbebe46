//! What a shell and a reader are told.

#![allow(clippy::unwrap_used)]

use std::process::Command;

fn isthmus(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_isthmus")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// As bash does when Tab is pressed behind these words.
fn completed(words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions");
    std::fs::write(&file, isthmus(&["completions", "bash"])).unwrap();
    let script = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  _isthmus \"$1\" \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash").args(["-c", script, "bash"]).arg(&file).args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn bash_completes_commands_and_options() {
    assert_eq!(completed(&["isthmus", "dep"]), "deploy");
    assert_eq!(completed(&["isthmus", "deploy", "--pl"]), "--plan");
    assert_eq!(completed(&["isthmus", "deploy", "stg", "--images", "d"]), "docker");
}

#[test]
fn every_command_has_a_page_of_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    isthmus(&["man", folder.path().to_str().unwrap()]);
    let help = isthmus(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> =
        commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.contains(&"deploy") && names.contains(&"tables"), "{names:?}");
    for name in names {
        assert!(folder.path().join(format!("isthmus-{name}.1")).is_file(), "{name} has no page");
    }
    let page = std::fs::read_to_string(folder.path().join("isthmus-deploy.1")).unwrap();
    assert!(page.contains("Show what Terraform would change"), "{page}");
}
