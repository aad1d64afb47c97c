//! What a stranger can make of the deployment.

mod binary_post;
mod excess_attachments;
mod payload_limit_parity;
mod slow_post;
mod zero_attachments;

use super::checks;

checks![payload_limit_parity, slow_post, binary_post, excess_attachments, zero_attachments];
