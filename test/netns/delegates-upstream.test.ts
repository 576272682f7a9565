import { resolve } from 'node:path'
import { describe } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { testReferencePlugins } from './support/reference-plugins.ts'

const folder = resolve('node_modules/.cache/upstream-plugins')

// Built from source, which takes Go, the module proxy and some minutes: nightly only.
describe.skipIf(process.env.TWINLANE_LONG_TESTS !== '1')('what upstream has released', () => {
  testReferencePlugins(async () => {
    await exec(process.execPath, ['scripts/build-upstream-plugins.mjs', folder])
    // The bridge plugin looks in the main table for the routes that sbr moved out of it.
    const sbr = 'plugin "bridge" failed CHECK: Failed to find Gateway 10.7.0.1'
    return { folder, cniVersion: '1.1.0', checkMessages: { 'bridge, then sbr': sbr } }
  })
})
