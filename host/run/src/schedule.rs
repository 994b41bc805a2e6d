//! Which step is next: counters of steps that have not settled and a queue of what is ready. Pure.
//!
//! A step becomes ready in the moment in which the last of those that it comes after settles; nothing
//! is ever searched for, and a step that waits costs nothing. Ready steps come in plan order.
//!
//! What an earlier step means for a later one. Needs are as GitHub Actions has them between jobs; a
//! step that says nothing of needs only follows the one before it in the file:
//!
//! | the earlier step                            | who needs it            | who follows it          |
//! |---------------------------------------------|-------------------------|-------------------------|
//! | succeeded, or failed and is tolerated       | runs                    | runs                    |
//! | skipped (`when` said no, empty matrix, or   | is skipped, and says so | runs                    |
//! | what it needs was skipped)                  |                         |                         |
//! | failed, or kept from running by a failure   | is skipped, and says so | is skipped, and says so |
//!
//! A step with `always` runs in all cases. What a failure keeps from running keeps from running
//! what comes after it: a failure goes on to the end of the chain, past steps that always run.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

/// What became of a step, as far as it matters to those that come after; graver is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Settled {
    /// It succeeded, or its failure is tolerated.
    Through,
    /// It was left out on purpose.
    Skipped,
    /// It failed, or was kept from running.
    Blocked,
}

/// A step that has to settle before another begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// Its place in the plan.
    pub(crate) step: usize,
    pub(crate) tie: Tie,
}

/// What ties a step to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    /// It cannot do without.
    Needs,
    /// It only comes after.
    Follows,
}

impl Tie {
    /// What the later step makes of how the earlier one settled.
    fn carries(self, settled: Settled) -> Settled {
        match (self, settled) {
            (Self::Follows, Settled::Skipped) => Settled::Through,
            (Self::Needs | Self::Follows, settled) => settled,
        }
    }
}

/// What keeps a step from running; of several the gravest, and of those the first to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) need: Need,
    pub(crate) settled: Settled,
}

/// The steps that have not begun, by their place in the plan.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    nodes: Vec<Node>,
    ready: BinaryHeap<Reverse<usize>>,
}

#[derive(Debug, Default)]
struct Node {
    /// How many needs have not settled.
    waiting: usize,
    /// Which steps come after this one, and by what tie.
    dependants: Vec<(usize, Tie)>,
    obstacle: Option<Obstacle>,
}

impl Schedule {
    /// The schedule of steps with these needs; `None` for a step that does not take part. A need that
    /// takes no part is satisfied.
    pub(crate) fn new(needs: &[Option<Vec<Need>>]) -> Self {
        let mut schedule =
            Self { nodes: Vec::with_capacity(needs.len()), ready: BinaryHeap::new() };
        schedule.nodes.resize_with(needs.len(), Node::default);
        for (step, needs_of_step) in needs.iter().enumerate() {
            let Some(of_step) = needs_of_step else { continue };
            let mut waiting = 0;
            for need in of_step {
                let takes_part = needs.get(need.step).is_some_and(Option::is_some);
                if let (true, Some(node)) = (takes_part, schedule.nodes.get_mut(need.step)) {
                    node.dependants.push((step, need.tie));
                    waiting += 1;
                }
            }
            if let Some(node) = schedule.nodes.get_mut(step) {
                node.waiting = waiting;
            }
            if waiting == 0 {
                schedule.ready.push(Reverse(step));
            }
        }
        schedule
    }

    /// The next step all of whose needs have settled, and what keeps it from running, if anything.
    pub(crate) fn next(&mut self) -> Option<(usize, Option<Obstacle>)> {
        let Reverse(step) = self.ready.pop()?;
        Some((step, self.nodes.get(step).and_then(|node| node.obstacle)))
    }

    /// Whether [`Schedule::next`] would give a step.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// `step` is over; called once for each step that [`Schedule::next`] gave.
    pub(crate) fn settle(&mut self, step: usize, settled: Settled) {
        let Some(node) = self.nodes.get_mut(step) else { return };
        let dependants = std::mem::take(&mut node.dependants);
        // Of a step that ran all the same, because it always does.
        let passed_by = node.obstacle.filter(|obstacle| obstacle.settled == Settled::Blocked);
        for (dependant, tie) in dependants {
            let Some(node) = self.nodes.get_mut(dependant) else { continue };
            let gravest = node.obstacle.map_or(Settled::Through, |obstacle| obstacle.settled);
            let (from, carried) = match (tie, tie.carries(settled), passed_by) {
                (Tie::Follows, Settled::Through, Some(passed)) => {
                    (passed.need.step, passed.settled)
                }
                (_, carried, _) => (step, carried),
            };
            if carried > gravest {
                let need = Need { step: from, tie };
                node.obstacle = Some(Obstacle { need, settled: carried });
            }
            node.waiting -= 1;
            if node.waiting == 0 {
                self.ready.push(Reverse(dependant));
            }
        }
    }
}

/// Concurrency groups: who is in waits for nobody, who comes later waits for its turn.
#[derive(Debug)]
pub(crate) struct Groups<T> {
    /// Who waits for each group that somebody is in.
    taken: HashMap<String, VecDeque<T>>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self { taken: HashMap::new() }
    }
}

impl<T> Groups<T> {
    /// Enters `group`: gives `who` back if it may go on, else keeps it until somebody leaves.
    pub(crate) fn enter(&mut self, group: &str, who: T) -> Option<T> {
        match self.taken.get_mut(group) {
            Some(waiting) => {
                waiting.push_back(who);
                None
            }
            None => {
                self.taken.insert(group.to_owned(), VecDeque::new());
                Some(who)
            }
        }
    }

    /// Leaves `group`, and gives the next, for whom the group stays taken.
    pub(crate) fn leave(&mut self, group: &str) -> Option<T> {
        let next = self.taken.get_mut(group).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.taken.remove(group);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tied(needs: &[&[usize]], tie: Tie) -> Schedule {
        let needs_of = |of: &&[usize]| Some(of.iter().map(|&step| Need { step, tie }).collect());
        Schedule::new(&needs.iter().map(needs_of).collect::<Vec<_>>())
    }

    fn schedule(needs: &[&[usize]]) -> Schedule {
        tied(needs, Tie::Needs)
    }

    fn drain(schedule: &mut Schedule) -> Vec<(usize, Option<Settled>)> {
        std::iter::from_fn(|| schedule.next())
            .map(|(step, obstacle)| (step, obstacle.map(|obstacle| obstacle.settled)))
            .collect()
    }

    #[test]
    fn a_step_is_ready_when_its_last_need_settles_and_ready_steps_come_in_plan_order() {
        let mut diamond = schedule(&[&[], &[0], &[0], &[1, 2]]);
        assert_eq!(drain(&mut diamond), [(0, None)]);
        diamond.settle(0, Settled::Through);
        assert_eq!(drain(&mut diamond), [(1, None), (2, None)]);
        diamond.settle(2, Settled::Through);
        assert_eq!(drain(&mut diamond), []);
        diamond.settle(1, Settled::Through);
        assert_eq!(drain(&mut diamond), [(3, None)]);
    }

    #[test]
    fn the_gravest_need_is_the_obstacle() {
        let mut join = schedule(&[&[], &[], &[0, 1]]);
        drain(&mut join);
        join.settle(0, Settled::Skipped);
        join.settle(1, Settled::Blocked);
        let need = Need { step: 1, tie: Tie::Needs };
        assert_eq!(join.next(), Some((2, Some(Obstacle { need, settled: Settled::Blocked }))));
    }

    #[test]
    fn who_only_follows_is_kept_back_by_a_failure_and_not_by_a_skipped_step() {
        let seen = |settled: Settled| {
            let mut pair = tied(&[&[], &[0]], Tie::Follows);
            drain(&mut pair);
            pair.settle(0, settled);
            drain(&mut pair)
        };
        assert_eq!(seen(Settled::Through), [(1, None)]);
        assert_eq!(seen(Settled::Skipped), [(1, None)]);
        assert_eq!(seen(Settled::Blocked), [(1, Some(Settled::Blocked))]);
    }

    #[test]
    fn a_failure_goes_past_a_step_that_ran_all_the_same() {
        let follows = |step| Some(vec![Need { step, tie: Tie::Follows }]);
        let mut chain = Schedule::new(&[Some(Vec::new()), follows(0), follows(1)]);
        assert_eq!(chain.next(), Some((0, None)));
        chain.settle(0, Settled::Blocked);
        assert!(matches!(chain.next(), Some((1, Some(_)))));
        chain.settle(1, Settled::Through);
        let need = Need { step: 0, tie: Tie::Follows };
        assert_eq!(chain.next(), Some((2, Some(Obstacle { need, settled: Settled::Blocked }))));
    }

    #[test]
    fn a_need_that_takes_no_part_is_satisfied() {
        let mut only = Schedule::new(&[None, Some(vec![Need { step: 0, tie: Tie::Needs }])]);
        assert_eq!(drain(&mut only), [(1, None)]);
    }

    #[test]
    fn a_group_lets_in_one_at_a_time_in_order_of_arrival() {
        let mut groups = Groups::default();
        assert_eq!(groups.enter("deploy", 1), Some(1));
        assert_eq!(groups.enter("other", 9), Some(9));
        assert_eq!(groups.enter("deploy", 2), None);
        assert_eq!(groups.enter("deploy", 3), None);
        assert_eq!(groups.leave("deploy"), Some(2));
        assert_eq!(groups.leave("deploy"), Some(3));
        assert_eq!(groups.leave("deploy"), None);
        assert_eq!(groups.enter("deploy", 4), Some(4));
    }
}
