import { beforeAll, expect, test } from 'vitest'
import { type HostState, readHostState, readSysctls } from './support/host-state.ts'
import { temporaryLabFolder, twinlane } from './support/lab.ts'

const folder = temporaryLabFolder()
let before: HostState
let sysctls: Map<string, string>

beforeAll(async () => {
  before = await readHostState()
  sysctls = await readSysctls()
})

async function expectHostUnchanged(): Promise<void> {
  expect(await readHostState()).toEqual(before)
  const now = await readSysctls()
  // A module that the lab makes the kernel load may add keys; those that were there keep their values.
  for (const [key, value] of sysctls) expect(`${key}=${now.get(key)}`).toBe(`${key}=${value}`)
}

test('the host is the same while a lab runs', async () => {
  const up = await twinlane(['lab', 'up', '--state', folder])
  expect(up.stderr).not.toContain('error')
  expect(up.code).toBe(0)
  await expectHostUnchanged()
})

test('the host is the same after the lab is gone', async () => {
  expect((await twinlane(['lab', 'down', '--state', folder])).code).toBe(0)
  await expectHostUnchanged()
})
