/** How many inputs a property gets: a slice in the ordinary run, all of them in the nightly one. */
export function inputs(nightly: number): number {
  return process.env.TWINLANE_LONG_TESTS === '1' ? nightly : Math.ceil(nightly / 50)
}
