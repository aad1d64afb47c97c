//! terminal

use crate::verdict::CheckResult;

/// stand-in
pub fn explain(result: &CheckResult) -> String {
    format!("{result:#?}")
}
