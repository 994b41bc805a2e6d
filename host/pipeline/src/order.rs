//! Which step comes after which.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use report::Span;

/// Step `to`, by index, has to be done before the step that has this edge.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    pub(crate) span: Span,
    pub(crate) why: Why,
}

/// Why one step comes after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// `needs` names it.
    Needs,
    /// A template speaks of it.
    RefersTo,
    /// It is the one before in the file, and nothing else is said.
    Follows,
}

impl Why {
    /// The verb between the two steps.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Needs => "needs",
            Self::RefersTo => "refers to",
            Self::Follows => "comes after",
        }
    }
}

/// Steps by index, each after all that it needs, otherwise in the order of the file.
///
/// # Errors
/// The cycles, none of which shares a step with another: each step with the edge to the next.
pub(crate) fn order(edges: &[Vec<Edge>]) -> Result<Vec<usize>, Vec<Vec<(usize, Edge)>>> {
    let mut waiting: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (step, needs) in edges.iter().enumerate() {
        for need in needs {
            if let Some(list) = followers.get_mut(need.to) {
                list.push(step);
            }
        }
    }
    let idle = waiting.iter().enumerate().filter(|&(_, &count)| count == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = idle.map(|(step, _)| Reverse(step)).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for &follower in followers.get(step).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(follower) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse(follower));
                }
            }
        }
    }
    if order.len() == edges.len() { Ok(order) } else { Err(cycles(edges, &waiting)) }
}

/// Every step that still waits leads, from need to need, into a cycle.
fn cycles(edges: &[Vec<Edge>], waiting: &[usize]) -> Vec<Vec<(usize, Edge)>> {
    let mut seen = vec![false; edges.len()];
    let mut cycles = Vec::new();
    let blocked = |step: usize| waiting.get(step).is_some_and(|&count| count > 0);
    for start in (0..edges.len()).filter(|&step| blocked(step)) {
        let mut path: Vec<(usize, Edge)> = Vec::new();
        let mut step = start;
        while !seen.get(step).copied().unwrap_or(true) {
            if let Some(mark) = seen.get_mut(step) {
                *mark = true;
            }
            let Some(edge) = edges.get(step).and_then(|all| all.iter().find(|e| blocked(e.to)))
            else {
                break;
            };
            path.push((step, edge.clone()));
            step = edge.to;
        }
        if let Some(begin) = path.iter().position(|&(at, _)| at == step) {
            cycles.push(path.split_off(begin));
        }
    }
    cycles
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edges(needs: &[&[usize]]) -> Vec<Vec<Edge>> {
        let edge = |&to: &usize| Edge { to, span: Span::default(), why: Why::Needs };
        needs.iter().map(|list| list.iter().map(edge).collect()).collect()
    }

    #[test]
    fn steps_keep_the_order_of_the_file_where_nothing_else_is_said() {
        assert_eq!(order(&edges(&[&[], &[], &[0]])).unwrap(), [0, 1, 2]);
        assert_eq!(order(&edges(&[&[2], &[], &[]])).unwrap(), [1, 2, 0]);
        assert_eq!(order(&[]).unwrap(), [0; 0]);
    }

    #[test]
    fn each_cycle_is_named_once_and_step_by_step() {
        let cycles = order(&edges(&[&[1], &[2], &[0], &[0], &[5], &[4]])).unwrap_err();
        let steps: Vec<Vec<usize>> =
            cycles.iter().map(|path| path.iter().map(|&(step, _)| step).collect()).collect();
        assert_eq!(steps, [vec![0, 1, 2], vec![4, 5]]);
    }

    proptest! {
        #[test]
        fn every_step_comes_after_its_needs(
            needs in prop::collection::vec(prop::collection::vec(0_usize..20, 0..4), 1..20)
        ) {
            // Needs that point backwards only cannot make a cycle.
            let needs: Vec<Vec<usize>> = needs
                .iter()
                .enumerate()
                .map(|(step, list)| list.iter().copied().filter(|&to| to < step).collect())
                .collect();
            let lists: Vec<&[usize]> = needs.iter().map(Vec::as_slice).collect();
            let order = order(&edges(&lists)).unwrap();
            let place = |step: usize| order.iter().position(|&at| at == step).unwrap();
            for (step, list) in needs.iter().enumerate() {
                prop_assert!(list.iter().all(|&to| place(to) < place(step)));
            }
        }
    }
}
