//! What a task does next.

use crate::at::{At, Task};
use crate::lease::write_lease;
use crate::protocol::{ATTEMPT, Label, Next, Protocol, Weather};
use crate::world::{Current, DOUBT, KEEP, KEYS, NONE, World, execution, row};

#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) world: &'a World,
    pub(super) protocol: &'a Protocol,
    pub(super) weather: &'a Weather,
    pub(super) task: usize,
}

impl Step<'_> {
    pub(super) fn me(&self) -> &Task {
        &self.world.tasks[self.task]
    }

    pub(super) fn execution(&self) -> u8 {
        execution(self.task)
    }

    pub(super) fn key(&self) -> usize {
        self.task % 2
    }

    pub(super) fn wanted(&self) -> u8 {
        row(self.execution() + 1, self.key())
    }

    /// The world after this task has changed it.
    pub(super) fn with(&self, change: impl FnOnce(&mut World, &mut Task)) -> World {
        let (mut world, mut me) = (*self.world, *self.me());
        change(&mut world, &mut me);
        world.tasks[self.task] = me.normal();
        world
    }

    pub(super) fn to(&self, at: At) -> World {
        self.with(|_, me| me.at = at)
    }

    pub(super) fn label(&self, what: &'static str) -> Label {
        (u8::try_from(self.task).unwrap_or(NONE), what)
    }

    pub(super) fn is_lost(&self) -> bool {
        let lease = &self.world.lease;
        lease.holder != self.execution() || lease.generation != self.me().generation
    }

    /// None while the gate is closed.
    pub(super) fn gate(&self, is_row: bool) -> Option<bool> {
        if !is_row && !self.protocol.all_writes_are_gated {
            return Some(true);
        }
        if self.world.time + ATTEMPT < self.me().until {
            return Some(true);
        }
        self.is_lost().then_some(false)
    }

    pub(super) fn own(&self, next: Next<'_>) {
        let is_row = self.me().at == At::Row;
        match self.me().at {
            At::Start => self.start(next),
            At::Look => {
                let done = self.world.generations[self.me().generation as usize].done == [true; KEYS];
                next.push((self.label("looks"), self.to(if done { At::Flip } else { At::Well })));
            }
            At::Well | At::Failed | At::Dead => {}
            _ if self.me().sent != NONE => self.arrive(next),
            _ => match self.gate(is_row) {
                None => {}
                Some(false) => next.push((self.label("has lost the lease"), self.to(At::Failed))),
                Some(true) => self.act(next),
            },
        }
    }

    pub(super) fn act(&self, next: Next<'_>) {
        let send = |what| (self.label(what), self.with(|world, me| me.sent = world.time + ATTEMPT));
        let me = self.me();
        match me.at {
            // Nobody can tell a list from a list and a row that is under way.
            At::Row => {
                let (key, wanted) = (self.key(), self.wanted());
                next.push((
                    self.label("lists, and sends a row"),
                    self.with(|world, me| {
                        let generation = &mut world.generations[me.generation as usize];
                        generation.vanished[key] = wanted == 0 && me.belief != 0;
                        if wanted != 0 && me.belief != wanted {
                            generation.listed[key] = true;
                            me.sent = world.time + ATTEMPT;
                        } else {
                            generation.done[key] = true;
                            me.at = At::Look;
                        }
                    }),
                ));
            }
            At::Flip => next.push(send("sends the flip")),
            At::Delete if self.world.generations[me.generation as usize].swept => {
                next.push((self.label("collects and ends"), self.end()));
            }
            At::Delete => next.push(send("sends deletes")),
            At::Start | At::Look | At::Well | At::Failed | At::Dead => {}
        }
    }

    /// It holds the lease, and looks at what stands. A pause in between ends at a closed gate, as one before does.
    pub(super) fn begin(&self, what: &'static str, held: World, next: Next<'_>) {
        let step = Step { world: &held, ..*self };
        let (generation, current) = (step.me().generation, held.current);
        if step.me().rolls_back {
            let kept = current.before == 0 || current.generation == 0;
            let goes = step.with(|_, me| (me.base, me.at) = (current.etag, if kept { At::Flip } else { At::Failed }));
            next.push((self.label(what), goes));
            return;
        }
        if current.generation == generation {
            next.push((self.label("takes it, and finds it flipped"), step.to(At::Delete)));
            return;
        }
        let fence = self.protocol.fence && held.lease.taken_over && current.fence != generation;
        let fenced = Current { etag: current.etag + 1, fence: generation, by: NONE, ..current };
        let current = if fence { fenced } else { current };
        let (standing, key) = (held.generations[generation as usize], self.key());
        if standing.started && standing.base != current.etag && self.protocol.base_is_named {
            next.push((self.label("takes it, and finds another base"), step.to(At::Failed)));
            return;
        }
        // Each run looks at all: what stands otherwise than it is believed is doubted.
        let belief = match held.belief(key, generation) {
            belief if self.protocol.runs_look && belief != held.objects[key] => DOUBT,
            belief => belief,
        };
        let begun = step.with(|world, me| {
            world.current = current;
            let begun = &mut world.generations[generation as usize];
            if !begun.started {
                (begun.started, begun.base, begun.rows) = (true, current.etag, execution(self.task) + 1);
            }
            (me.base, me.belief) = (current.etag, belief);
            me.at = if begun.done[key] { At::Look } else { At::Row };
        });
        next.push((self.label(what), begun));
    }

    pub(super) fn collect(&self, world: &mut World) {
        let current = world.current;
        let kept: [u8; KEEP] = if self.protocol.kept_by_what_was_named {
            [current.generation, current.before]
        } else {
            let by_name = (0..self.me().generation).rev().find(|older| self.has_manifest(*older));
            [self.me().generation, by_name.unwrap_or(0)]
        };
        for number in (0..self.me().generation).filter(|number| !kept.contains(number)) {
            let collected = &mut world.generations[number as usize];
            (collected.readable, collected.started) = (false, false);
        }
    }

    pub(super) fn has_manifest(&self, generation: u8) -> bool {
        let generation = &self.world.generations[generation as usize];
        generation.readable && (!generation.started || generation.done == [true; KEYS])
    }

    pub(super) fn end(&self) -> World {
        let runs_out = self.protocol.shared_lease_runs_out;
        let alone =
            self.weather.second_has_one_task && self.execution() == 2 && !self.world.tasks[self.task ^ 1].is_at_work();
        self.with(|world, me| {
            if !me.rolls_back {
                self.collect(world);
            }
            world.lease.published = !me.rolls_back;
            if me.rolls_back || alone || !runs_out {
                world.lease.holder = 0;
            }
            write_lease(world);
            me.at = At::Well;
        })
    }

    /// A task of execution 1, which may come first or second, dies; it is started again, or not. What it had sent arrives
    /// now or never: it is not later than an attempt.
    pub(super) fn kill(&self, next: Next<'_>) {
        let me = self.me();
        if self.world.kills == 0 || !me.is_at_work() || self.execution() == 2 {
            return;
        }
        let mut arrived = Vec::new();
        if me.sent != NONE {
            self.arrive(&mut arrived);
        }
        let arrived = arrived.first().map(|(_, done)| self.unanswered(*done));
        for world in std::iter::once(*self.world).chain(arrived) {
            for at in [At::Start, At::Dead] {
                let mut dead = World { kills: world.kills - 1, ..world };
                dead.tasks[self.task] = Task::at(at);
                next.push((self.label("is killed"), dead));
            }
        }
    }
}
