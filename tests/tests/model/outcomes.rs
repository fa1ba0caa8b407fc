//! Which worlds a step leads to: the operator looks at whom it must, in any order, and perhaps at whoever failed.

use crate::{
    steps::Step,
    world::{Apps, World},
};

/// See the module documentation.
#[derive(Default)]
pub struct Outcomes {
    pub worlds: Vec<World>,
    /// Those that fail in some world on the way.
    pub may_fail: Apps,
    seen: Vec<(World, Apps)>,
}

/// What one step leads to from any of these worlds.
pub fn of(step: &Step, before: &[World]) -> Outcomes {
    // What failed is tried again at any time, so also just before the step.
    let mut starts = Outcomes::default();
    for world in before {
        starts.explore(world, &Apps::new(), world.failed());
    }
    let mut outcomes = Outcomes { may_fail: starts.may_fail, ..Outcomes::default() };
    for mut world in starts.worlds {
        let woken = step.act(&mut world);
        let perhaps = world.failed().difference(&woken).copied().collect();
        outcomes.explore(&world, &woken, perhaps);
    }
    outcomes
}

impl Outcomes {
    /// `pending`: who must be looked at; `perhaps`: who may be.
    fn explore(&mut self, world: &World, pending: &Apps, mut perhaps: Apps) {
        if let Some(app) = perhaps.pop_first() {
            self.explore(world, pending, perhaps.clone());
            let more = pending.iter().copied().chain([app]).collect();
            self.explore(world, &more, perhaps);
            return;
        }
        let state = (world.clone(), pending.clone());
        if self.seen.contains(&state) {
            return;
        }
        self.seen.push(state);
        self.may_fail.extend(world.failed());
        if pending.is_empty() {
            self.worlds.push(world.clone());
        }
        for app in pending {
            for woken in world.wake(app) {
                let others = pending.iter().filter(|other| *other != app).copied().chain(woken.others);
                self.explore(&woken.world, &others.collect(), woken.perhaps);
            }
        }
    }
}
