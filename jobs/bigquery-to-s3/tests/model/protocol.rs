//! What a task does next, what becomes of its requests, and what else can happen: time passes, answers are lost, processes
//! die and start again. A process that pauses is one that is not scheduled.

use crate::world::{At, Current, KEEP, KEYS, Lease, NONE, TASKS, Task, World, execution, row};

/// The time that a lease is good for, and the longest attempt of a request.
pub const LEASE: u8 = 2;
const ATTEMPT: u8 = 1;

/// What is so in the protocol, each with what was so before.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// Or a flag that any answered renewal sets, however late.
    pub gate_is_a_deadline: bool,
    /// Or rows only.
    pub all_writes_are_gated: bool,
    /// Or a resumed generation goes on over whatever is `CURRENT` now.
    pub base_is_named: bool,
    /// Or the same words are taken for one's own.
    pub winner_is_known_by_name: bool,
    /// Or the lease's end by one's own wall clock.
    pub others_are_watched: bool,
    /// Or it is given back while other tasks of the execution believe in it.
    pub shared_lease_runs_out: bool,
    /// Or whoever comes late begins anew.
    pub superseded_are_known: bool,
    /// `CURRENT` is written once more by who takes the lease from one that did not give it back.
    pub fence: bool,
    /// Or the newest by name.
    pub kept_by_what_was_named: bool,
}

/// What the world may do that no gate can help against.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub end: u8,
    /// How far the wall clock of execution 2 is ahead.
    pub skew: u8,
    /// As if one task did the work of both of execution 2: its lease is given back when both have ended.
    pub second_has_one_task: bool,
    /// A process may pause between the gate and the request, or the network hold it: the flip comes at any time.
    pub flips_come_late: bool,
    pub rows_come_late: bool,
    /// Rows are sent with the `ETag` that the base has under the key.
    pub rows_have_etags: bool,
}

pub const NEW: Protocol = Protocol {
    gate_is_a_deadline: true,
    all_writes_are_gated: true,
    base_is_named: true,
    winner_is_known_by_name: true,
    others_are_watched: true,
    shared_lease_runs_out: true,
    superseded_are_known: true,
    fence: true,
    kept_by_what_was_named: true,
};

pub type Label = (u8, &'static str);
type Next<'a> = &'a mut Vec<(Label, World)>;

pub fn steps(world: &World, protocol: &Protocol, weather: &Weather, next: Next<'_>) {
    // Time that passes while nobody waits for a lease changes nothing that anybody could see.
    let waits = |task: &Task| task.watching != NONE || (!protocol.others_are_watched && task.at == At::Start);
    if world.time < weather.end && world.tasks.iter().any(waits) {
        next.push(((NONE, "time passes"), tick(*world, weather)));
    }
    for task in 0..TASKS {
        let step = Step { world, protocol, weather, task };
        step.own(next);
        step.renewal(next);
        step.kill(next);
    }
}

/// An attempt that took too long is cut off: then it is made again.
fn tick(mut world: World, weather: &Weather) -> World {
    world.time += 1;
    for task in &mut world.tasks {
        let late = match task.at {
            At::Flip => weather.flips_come_late,
            At::Row => weather.rows_come_late,
            _ => false,
        };
        if task.sent < world.time && !late {
            task.sent = NONE;
        }
    }
    world
}

#[derive(Clone, Copy)]
struct Step<'a> {
    world: &'a World,
    protocol: &'a Protocol,
    weather: &'a Weather,
    task: usize,
}

impl Step<'_> {
    fn me(&self) -> &Task {
        &self.world.tasks[self.task]
    }

    fn execution(&self) -> u8 {
        execution(self.task)
    }

    fn key(&self) -> usize {
        self.task % 2
    }

    fn wanted(&self) -> u8 {
        row(self.execution() + 1, self.key())
    }

    /// The world after this task has changed it.
    fn with(&self, change: impl FnOnce(&mut World, &mut Task)) -> World {
        let (mut world, mut me) = (*self.world, *self.me());
        change(&mut world, &mut me);
        world.tasks[self.task] = me.normal();
        world
    }

    fn to(&self, at: At) -> World {
        self.with(|_, me| me.at = at)
    }

    fn label(&self, what: &'static str) -> Label {
        (u8::try_from(self.task).unwrap_or(NONE), what)
    }

    fn is_lost(&self) -> bool {
        let lease = &self.world.lease;
        lease.holder != self.execution() || lease.generation != self.me().generation
    }

    /// None while the gate is closed.
    fn gate(&self, is_row: bool) -> Option<bool> {
        if !is_row && !self.protocol.all_writes_are_gated {
            return Some(true);
        }
        if self.world.time + ATTEMPT < self.me().until {
            return Some(true);
        }
        self.is_lost().then_some(false)
    }

    fn own(&self, next: Next<'_>) {
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

    fn act(&self, next: Next<'_>) {
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

    fn start(&self, next: Next<'_>) {
        let (lease, me, time) = (&self.world.lease, self.me(), self.world.time);
        if lease.holder == self.execution() {
            if lease.published {
                next.push((self.label("finds it published"), self.to(At::Well)));
            } else {
                self.begin("joins", self.hold(lease.generation, lease.taken_over, lease.superseded), next);
            }
            return;
        }
        let free = lease.holder == 0;
        if free || (!self.protocol.others_are_watched && self.now() > lease.expires) {
            self.take(next);
        } else if self.protocol.others_are_watched {
            match me.watching {
                _ if me.saw_life => next.push((self.label("finds it held"), self.to(At::Failed))),
                NONE => next.push((self.label("watches"), self.with(|_, me| me.watching = time))),
                since if time >= since + LEASE => self.take(next),
                _ => {}
            }
        }
    }

    /// Nobody reads it where others are watched.
    fn end_of_wall(&self, now: u8) -> u8 {
        if self.protocol.others_are_watched { 0 } else { now + LEASE }
    }

    /// By its own wall clock.
    fn now(&self) -> u8 {
        self.world.time + if self.execution() == 2 { self.weather.skew } else { 0 }
    }

    fn take(&self, next: Next<'_>) {
        let (world, me) = (self.world, self.execution());
        let taken_over = world.lease.holder != 0;
        let superseded = world.lease.superseded | if taken_over { 1 << world.lease.holder } else { 0 };
        let newest = world.lease.generation + 1;
        if usize::from(newest) >= world.generations.len() {
            return;
        }
        let begun = (0..newest).rev().find(|own| {
            let generation = &world.generations[*own as usize];
            generation.started && generation.rows == me + 1
        });
        let generation = match begun {
            _ if self.me().rolls_back || !self.protocol.superseded_are_known => newest,
            None if world.lease.superseded & 1 << me == 0 => newest,
            Some(own) if own + 1 == newest && self.goes_on(own) => own,
            _ => {
                let published = world.published & 1 << me != 0;
                let at = if published { At::Well } else { At::Failed };
                next.push((self.label("is superseded"), self.to(at)));
                return;
            }
        };
        self.begin("takes the lease", self.hold(generation, taken_over, superseded), next);
    }

    fn goes_on(&self, own: u8) -> bool {
        let current = &self.world.current;
        current.generation == own || self.world.generations[own as usize].base == current.etag
    }

    /// The lease's document is ours, and a new one: whoever watches sees that.
    fn hold(&self, generation: u8, taken_over: bool, superseded: u8) -> World {
        let (holder, now) = (self.execution(), self.now());
        self.with(|world, me| {
            world.lease =
                Lease { holder, generation, taken_over, superseded, published: false, expires: self.end_of_wall(now) };
            write_lease(world);
            me.until = world.time + LEASE;
            (me.generation, me.watching, me.at) = (generation, NONE, At::Row);
        })
    }

    /// It holds the lease, and looks at what stands. A pause in between ends at a closed gate, as one before does.
    fn begin(&self, what: &'static str, held: World, next: Next<'_>) {
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
        let belief = held.belief(key, generation);
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

    /// S3 carries out what was sent; the answer may be lost, then it is sent again.
    fn arrive(&self, next: Next<'_>) {
        let (what, done) = match self.me().at {
            At::Row => ("a row arrives", self.row_arrives()),
            At::Flip => ("the flip arrives", self.flip_arrives()),
            At::Delete => ("deletes arrive", self.deletes_arrive()),
            _ => return,
        };
        next.push((self.label(what), done));
        if self.world.losses > 0 {
            next.push((
                self.label("its answer is lost"),
                World { losses: self.world.losses - 1, ..self.unanswered(done) },
            ));
        }
    }

    /// S3 has carried it out and the task does not know: what it would have written next is not there.
    fn unanswered(&self, mut done: World) -> World {
        if self.me().at == At::Row {
            done.generations[self.me().generation as usize].done[self.key()] = false;
        }
        done.tasks[self.task] = Task { sent: NONE, ..*self.me() };
        done
    }

    fn row_arrives(&self) -> World {
        let (key, wanted) = (self.key(), self.wanted());
        let matches = !self.weather.rows_have_etags || self.world.objects[key] == row(1, key);
        self.with(|world, me| {
            if matches {
                world.objects[key] = wanted;
                world.generations[me.generation as usize].done[key] = true;
            }
            (me.sent, me.at) = (NONE, if matches { At::Look } else { At::Failed });
        })
    }

    fn flip_arrives(&self) -> World {
        let (by, current) = (u8::try_from(self.task).unwrap_or(NONE), self.world.current);
        let target = if self.me().rolls_back { 0 } else { self.me().generation };
        let matches = current.etag == self.me().base;
        let named = current.generation == target;
        let ours = named && (current.by == by || !self.protocol.winner_is_known_by_name);
        self.with(|world, me| {
            me.sent = NONE;
            if matches {
                let (etag, before) = (current.etag + 1, current.generation);
                world.current = Current { generation: target, etag, by, fence: NONE, before };
                world.named = [target, before];
                let holder = world.generations[world.lease.generation as usize];
                world.beaten |= world.lease.holder != execution(self.task) && holder.started;
                world.published |= if me.rolls_back { 0 } else { 1 << execution(self.task) };
            }
            me.won |= (matches || ours) && !me.rolls_back;
            me.at = match matches || ours {
                true => At::Delete,
                false if named => At::Well,
                false => At::Failed,
            };
        })
    }

    fn deletes_arrive(&self) -> World {
        self.with(|world, me| {
            let generation = &mut world.generations[me.generation as usize];
            for (object, vanished) in world.objects.iter_mut().zip(generation.vanished) {
                *object = if vanished { 0 } else { *object };
            }
            generation.swept = true;
            me.sent = NONE;
        })
    }

    fn collect(&self, world: &mut World) {
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

    fn has_manifest(&self, generation: u8) -> bool {
        let generation = &self.world.generations[generation as usize];
        generation.readable && (!generation.started || generation.done == [true; KEYS])
    }

    fn end(&self) -> World {
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

    fn renewal(&self, next: Next<'_>) {
        let (me, time) = (self.me(), self.world.time);
        if !me.is_at_work() {
            return;
        }
        // Where the gate is a deadline from before the renewal was sent, one that is long under way only ends it earlier.
        let (asked, deadline) = match me.renewing {
            NONE if me.until == time + LEASE => return,
            NONE if self.protocol.gate_is_a_deadline => (time, true),
            NONE => {
                next.push((self.label("sends a renewal"), self.with(|world, me| me.renewing = world.time)));
                return;
            }
            asked => (asked, false),
        };
        let renewed = if self.is_lost() {
            self.with(|_, me| (me.renewing, me.until) = (NONE, 0))
        } else {
            self.with(|world, me| {
                world.lease.expires = self.end_of_wall(asked);
                write_lease(world);
                me.renewing = NONE;
                me.until = asked + LEASE;
                if !deadline {
                    me.until = me.until.max(world.time + ATTEMPT + 1);
                }
            })
        };
        next.push((self.label("renews"), renewed));
    }

    /// A task of execution 1, which may come first or second, dies; it is started again, or not. What it had sent arrives now or never: it is not later than an attempt.
    fn kill(&self, next: Next<'_>) {
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

fn write_lease(world: &mut World) {
    for task in &mut world.tasks {
        task.saw_life |= task.watching != NONE;
    }
}
