// Output channels of a tile, in halves of eight.
const HALVES = 1u;
