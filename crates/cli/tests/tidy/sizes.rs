//! Files and functions fit.

use crate::tables::{
    FILE_LINES_MAX, FILE_LINES_NEVER, FUNCTION_LINES_MAX, LONGER_FILES, TEST_FILE_LINES_MAX,
};
use crate::tree::{Finding, Tree};

/// Files and functions that are too long, and reasons for long files that are no more.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in &tree.rust {
        let code = file.lines - file.test_lines;
        let reason = LONGER_FILES.iter().any(|(longer, _)| longer == path);
        let split = "split it where a decision ends";
        let mut say = |lines: usize, max: usize, what: &str| {
            let wrong = format!("{lines} lines {what}, {max} are allowed");
            found.push(Finding::new(path, 0, wrong, split));
        };
        if file.lines > FILE_LINES_NEVER {
            say(file.lines, FILE_LINES_NEVER, "with its tests");
        } else if file.is_test && file.lines > TEST_FILE_LINES_MAX {
            say(file.lines, TEST_FILE_LINES_MAX, "of tests");
        } else if !file.is_test && code > FILE_LINES_MAX && !reason {
            say(code, FILE_LINES_MAX, "without its tests");
        } else if reason && code <= FILE_LINES_MAX {
            let wrong = "is no longer than others";
            found.push(Finding::new(path, 0, wrong, "strike it from LONGER_FILES"));
        }
        for function in file.functions().into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let wrong = format!(
                "fn {} has {} lines, {FUNCTION_LINES_MAX} fit a screen",
                function.name, function.lines
            );
            found.push(Finding::new(path, function.line, wrong, "name a part of it and move that down"));
        }
    }
    found
}
