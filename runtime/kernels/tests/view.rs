//! Strided views at their edges.

mod support;

use microtome_kernels::Fault;
use microtome_kernels::view::{Broadcast, Strides, for_each, for_each_row, merge};
use support::{dims, view};

#[test]
fn a_view_that_leaves_its_operand_is_refused() {
    let all = dims([2, 3]);
    assert_eq!(Strides::row_major(all).check(all, 6), Ok(()));
    assert_eq!(Strides::row_major(all).check(all, 5), Err(Fault::Shape));
    assert_eq!(view(5, [-3, -1]).check(all, 6), Ok(()));
    assert_eq!(view(4, [-3, -1]).check(all, 6), Err(Fault::Shape));
    assert_eq!(view(0, [isize::MAX, 1]).check(all, 6), Err(Fault::Shape));
    assert_eq!(view(usize::MAX, [0, 0]).check(all, 6), Err(Fault::Size));
    // Along an axis of one element, no stride matters.
    assert_eq!(view(0, [isize::MIN, 1]).check(dims([1, 3]), 3), Ok(()));
    assert_eq!(view(0, [0, 0]).check(dims([0, 3]), 3), Err(Fault::Size));
    assert_eq!(
        view(0, [0, 0]).check(dims([usize::MAX, 3]), 3),
        Err(Fault::Size)
    );
}

#[test]
fn a_view_reaches_its_last_element() {
    assert_eq!(view(2, [10, -1]).reach(dims([3, 3])), 23);
    assert_eq!(view(0, [0, 0]).reach(dims([3, 3])), 1);
    assert_eq!(
        view(2, [10, -3]).check_reach(dims([3, 3])),
        Err(Fault::Shape)
    );
}

#[test]
fn only_all_of_an_operand_is_a_permutation() {
    assert!(view(0, [1, 3]).is_permutation(dims([3, 2])));
    assert!(view(0, [2, 99, 1]).is_permutation(dims([3, 1, 2])));
    assert!(!view(0, [2, 1]).is_permutation(dims([2, 3])));
    assert!(!view(1, [1, 3]).is_permutation(dims([3, 2])));
    assert!(!view(0, [0, 1]).is_permutation(dims([3, 2])));
    assert!(!view(0, [-1, 3]).is_permutation(dims([3, 2])));
}

#[test]
fn axes_merge_where_all_views_go_on() {
    let places = |dims, views: [&Strides; 2]| {
        let mut places = Vec::new();
        for_each(dims, |index| places.push(views.map(|view| view.at(index))));
        places
    };
    let before = dims([2, 3, 1, 4]);
    let views = [view(0, [12, 4, 7, 1]), view(5, [12, 4, 0, 1])];
    let (mut merged, mut after) = (before, views);
    merge(&mut merged, &mut after);
    assert_eq!(merged, dims([24]));
    let same = places(merged, after.each_ref());
    assert_eq!(same, places(before, views.each_ref()));

    let views = [view(0, [12, 4, 7, 1]), view(0, [0, 4, 0, 1])];
    let (mut merged, mut after) = (before, views);
    merge(&mut merged, &mut after);
    assert_eq!(merged, dims([2, 12]));
    let same = places(merged, after.each_ref());
    assert_eq!(same, places(before, views.each_ref()));
}

#[test]
fn rows_begin_where_their_first_elements_lie() {
    let mut begins = Vec::new();
    let view = view(1, [-1, 6, 2]);
    for_each_row(dims([2, 2, 3]), [&view], |[at]| begins.push(at));
    assert_eq!(begins, [1, 7, 0, 6]);
    for_each(dims([0, 3]), |_| panic!("there is nothing"));
}

#[test]
fn only_a_first_operand_that_is_not_repeated_may_be_replaced() {
    let (all, row) = (dims([2, 3]), dims([1, 3]));
    assert!(Broadcast::of(all, [all, row]).in_place());
    assert!(!Broadcast::of(all, [row, all]).in_place());
    assert_eq!(Broadcast::of(all, [row, all]).operands(), [3, 6]);
    assert!(Broadcast::flat(7).is_flat());
}
