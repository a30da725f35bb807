// The masked copies of the image, which lies in the constants.

fn shown_of(index: u32) -> f32 {
    let sample = (sample_at - params.job.shared_words) / params.job.sample_words;
    let pixel = index / params.channels;
    return shown(params.first_mask + sample, pixel / params.width, pixel % params.width);
}
