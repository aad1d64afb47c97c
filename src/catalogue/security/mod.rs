//! What a stranger can make of the deployment.

mod excess_attachments;
mod zero_attachments;

use super::checks;

checks![excess_attachments, zero_attachments];
