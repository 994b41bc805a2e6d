//! Which step is next: counters of unsettled needs and a queue of what is ready. Pure.
//!
//! A step becomes ready in the moment in which the last of its needs settles; nothing is ever
//! searched for, and a step that waits costs nothing. Ready steps come in plan order.
//!
//! What a need means for who needs it, as GitHub Actions has it between jobs:
//!
//! | the need                                    | who needs it                  |
//! |---------------------------------------------|-------------------------------|
//! | succeeded, or failed and is tolerated       | runs                          |
//! | skipped (its `when` said no, empty matrix)  | is skipped, and says so       |
//! | failed, or kept from running by a failure   | is skipped, and says so       |
//!
//! A step with `always` runs in all three cases. A step that names no needs needs the one before it in
//! the file, and is skipped with it: `needs = []`, or the needs that it really has, keep it apart.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

/// What became of a step, as far as it matters to those who need it; graver is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Settled {
    /// It succeeded, or its failure is tolerated.
    Through,
    /// It was left out on purpose.
    Skipped,
    /// It failed, or was kept from running.
    Blocked,
}

/// The need that keeps a step from running; of several the gravest, and of those the first to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) need: usize,
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
    /// Who needs this step.
    dependants: Vec<usize>,
    obstacle: Option<Obstacle>,
}

impl Schedule {
    /// The schedule of steps with these needs; `None` for a step that does not take part. A need that
    /// takes no part is satisfied.
    pub(crate) fn new(needs: &[Option<Vec<usize>>]) -> Self {
        let mut schedule =
            Self { nodes: Vec::with_capacity(needs.len()), ready: BinaryHeap::new() };
        schedule.nodes.resize_with(needs.len(), Node::default);
        for (step, needs_of_step) in needs.iter().enumerate() {
            let Some(of_step) = needs_of_step else { continue };
            let mut waiting = 0;
            for need in of_step {
                let takes_part = needs.get(*need).is_some_and(Option::is_some);
                if let (true, Some(node)) = (takes_part, schedule.nodes.get_mut(*need)) {
                    node.dependants.push(step);
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
        let dependants = self.nodes.get_mut(step).map(|node| std::mem::take(&mut node.dependants));
        for dependant in dependants.into_iter().flatten() {
            let Some(node) = self.nodes.get_mut(dependant) else { continue };
            let gravest = node.obstacle.map_or(Settled::Through, |obstacle| obstacle.settled);
            if settled > gravest {
                node.obstacle = Some(Obstacle { need: step, settled });
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

    fn schedule(needs: &[&[usize]]) -> Schedule {
        Schedule::new(&needs.iter().map(|of| Some(of.to_vec())).collect::<Vec<_>>())
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
        assert_eq!(join.next(), Some((2, Some(Obstacle { need: 1, settled: Settled::Blocked }))));
    }

    #[test]
    fn a_need_that_takes_no_part_is_satisfied() {
        let mut only = Schedule::new(&[None, Some(vec![0])]);
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
