//! What stands between the parts of a text that is put together from several.

/// Those with words are translated, too.
pub const JOINTS: [&str; 9] = ["\n", ": ", "; ", " and ", " over ", " with ", ", ", " (", ")"];
