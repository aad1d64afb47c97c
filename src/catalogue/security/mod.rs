//! What a stranger can make of the deployment.

mod binary_post;
mod payload_limit_parity;
mod slow_post;

use super::checks;

checks![payload_limit_parity, slow_post, binary_post];
