//! Where insta keeps snapshots, and how it names them: `snapshots/<module>/<function>@<case>.snap`.

use super::Test;
use std::path::Path;

/// Holds for the test's thread. rstest runs a synchronous test that has a `#[timeout]` in another one, so let tests
/// that need both be async.
pub fn settings(test: &Test) -> insta::Settings {
    let (modules, functions) = test.path();
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(modules.join("/")));
    let cases: Vec<_> = functions.iter().skip(1).map(|case| label(case)).collect();
    if !cases.is_empty() {
        settings.set_snapshot_suffix(cases.join("-"));
    }
    settings
}

/// `polling` for `case_1_polling`: a case keeps its snapshot when others come before it.
fn label(case: &str) -> &str {
    let numbered = case.strip_prefix("case_").and_then(|rest| rest.split_once('_'));
    numbered.filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit())).map_or(case, |(_, label)| label)
}
