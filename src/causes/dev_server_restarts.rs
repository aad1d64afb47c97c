//! `nuxt dev` was not there for a while. In the process that it forks, a client that drops its WebSocket is an error that nobody
//! handles, and restarts Nuxt: that is the tool's doing, and says nothing of the application.

use super::{Found, Kind, Row, View, went_down};

pub const CAUSE: Kind = Kind {
    id: "dev-server-restarts",
    title: "`nuxt dev` restarted itself during the run",
    row: Row::D,
    fix: "Start it with `npx nuxt dev --no-fork`: in the process that it forks by default, a client that drops its connection \
          restarts Nuxt. Or test what users get: `npx nuxt build`, and `node .output/server/index.mjs`.",
    find,
};

fn find(view: &View<'_>) -> Option<Found> {
    if !went_down::is_dev_server(view) {
        return None;
    }
    went_down::seen_by_the_run(view)
}
