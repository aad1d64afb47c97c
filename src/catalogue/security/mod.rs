//! What a stranger can make of the deployment.

use super::checks;

checks![];
