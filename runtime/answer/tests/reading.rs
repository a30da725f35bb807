//! Readings as the documentation of the crate states them.

use microtome_answer::{Answer, DETECTIONS_MAX, Detection, Reading, read};
use microtome_plan::{ArenaAt, Element, Labels, ModelType, Port, Task};

const STRIDE: u16 = 8;

const GRID: Task<'_> = Task::Grid {
    labels: Labels("background\nred\nwhite"),
    stride: STRIDE,
    score_min: 128,
};

/// An output of probabilities in 1/256: −128 is 0.
fn port(dims: &[usize]) -> Port<'static> {
    Port {
        name: "out",
        at: ArenaAt(0),
        dims: dims.iter().copied().collect(),
        order: (0..dims.len() as u8).collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0 / 256.0,
        zero: -128,
    }
}

/// The bytes of such an output.
fn values(probabilities: &[u8]) -> Vec<u8> {
    let value = |&p: &u8| (i16::from(p) - 128) as u8;
    probabilities.iter().map(value).collect()
}

/// Reads a grid of three classes; `cells` are `(row, column, class, probability)`.
fn grid(height: usize, width: usize, cells: &[(usize, usize, usize, u8)]) -> Reading {
    let mut probabilities = vec![0; height * width * 3];
    for &(row, column, class, probability) in cells {
        probabilities[(row * width + column) * 3 + class] = probability;
    }
    read(
        &GRID,
        &port(&[1, height, width, 3]),
        &values(&probabilities),
    )
}

fn found(reading: &Reading) -> &[Detection] {
    match &reading.answer {
        Answer::Objects { found, .. } => found,
        other => panic!("not objects: {other:?}"),
    }
}

#[test]
fn a_class_is_the_most_probable_one_and_the_first_of_equals() {
    let task = Task::Classify {
        labels: Labels("a\nb\nc"),
    };
    let reading = read(&task, &port(&[1, 3]), &values(&[10, 200, 200]));
    let answer = Answer::Class {
        class: 1,
        score: 200,
    };
    assert_eq!(reading.answer, answer);
    assert_eq!(reading.confidence, 200);
}

#[test]
fn a_raw_output_has_full_confidence() {
    let reading = read(&Task::Raw, &port(&[1, 2]), &[1, 2]);
    assert_eq!((reading.answer, reading.confidence), (Answer::Raw, 255));
}

#[test]
fn a_detection_is_the_centre_of_its_cell() {
    let reading = grid(4, 5, &[(2, 3, 1, 250)]);
    let detection = Detection {
        class: 1,
        score: 250,
        x: 3 * STRIDE + STRIDE / 2,
        y: 2 * STRIDE + STRIDE / 2,
    };
    assert_eq!(found(&reading), [detection]);
}

#[test]
fn only_the_peak_of_neighbours_counts_and_of_equals_the_first() {
    let lower = grid(3, 3, &[(0, 0, 1, 200), (1, 1, 1, 201)]);
    assert_eq!((found(&lower).len(), found(&lower)[0].score), (1, 201));
    let equal = grid(3, 3, &[(1, 0, 1, 200), (0, 1, 1, 200), (1, 1, 1, 200)]);
    assert_eq!((found(&equal).len(), found(&equal)[0].y), (1, STRIDE / 2));
    let apart = grid(3, 3, &[(0, 0, 1, 200), (0, 2, 1, 200)]);
    assert_eq!(found(&apart).len(), 2);
}

#[test]
fn neighbours_of_another_class_do_not_hide_each_other() {
    let reading = grid(3, 3, &[(1, 0, 1, 200), (1, 1, 2, 240)]);
    let classes: Vec<u8> = found(&reading).iter().map(|one| one.class).collect();
    assert_eq!(classes, [1, 2]);
}

#[test]
fn confidence_is_how_far_candidates_are_from_undecided() {
    assert_eq!(grid(3, 3, &[]).confidence, 255);
    assert_eq!(grid(3, 3, &[(0, 0, 1, 128)]).confidence, 0);
    assert_eq!(grid(3, 3, &[(0, 0, 1, 240)]).confidence, 224);
    // A candidate below the lowest score is no detection, but was close to being one.
    let unsure = grid(3, 3, &[(0, 0, 1, 240), (2, 2, 1, 120)]);
    assert_eq!(
        (found(&unsure).len(), unsure.confidence),
        (1, (224 + 16) / 2)
    );
    assert_eq!(grid(3, 3, &[(0, 0, 1, 31)]).confidence, 255);
}

#[test]
fn what_does_not_fit_the_list_is_counted() {
    let peaks: Vec<_> = (0..18)
        .step_by(2)
        .flat_map(|row| (0..18).step_by(2).map(move |column| (row, column, 1, 200)))
        .collect();
    let reading = grid(18, 18, &peaks);
    let Answer::Objects { found, more } = reading.answer else {
        panic!("not objects");
    };
    assert_eq!((found.len(), more), (DETECTIONS_MAX, 81 - 64));
}

#[test]
fn an_output_that_is_no_grid_is_raw_without_confidence() {
    for dims in [&[1, 9][..], &[1, 3, 3, 1], &[1, 2, 2, 3]] {
        let reading = read(&GRID, &port(dims), &[0; 9]);
        assert_eq!((reading.answer, reading.confidence), (Answer::Raw, 0));
    }
}
