import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { silentLog } from '../base/log.ts'
import { NetConfWatch } from './net-conf-watch.ts'

const name = '00-twinlane.conf'
let root: string
let folder: string
let path: string
let watch: NetConfWatch
let warnings: string[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'net-conf-'))
  folder = join(root, 'net.d')
  path = join(folder, name)
  warnings = []
  watch = new NetConfWatch({
    file: { folder, name, text: 'ours\n' },
    log: silentLog,
    warn: (message) => warnings.push(message),
  })
  await watch.start()
})

afterEach(async () => {
  await watch.stop()
  await rm(root, { recursive: true, force: true })
})

const isOurs = async (): Promise<boolean> => (await readFile(path, 'utf8').catch(() => '')) === 'ours\n'

test('the file is written, and nothing is wrong', async () => {
  expect(await isOurs()).toBe(true)
  expect(watch.problems).toEqual([])
})

test('a file that was overwritten or removed is put back, and said so', async () => {
  await writeFile(path, 'theirs')
  await vi.waitFor(async () => expect({ ours: await isOurs(), n: watch.overwrites }).toEqual({ ours: true, n: 1 }))
  await rm(path)
  await vi.waitFor(async () => expect({ ours: await isOurs(), n: watch.overwrites }).toEqual({ ours: true, n: 2 }))
  expect(warnings).toEqual([
    `${name} was overwritten by another program; put it back`,
    `${name} was removed by another program; put it back`,
  ])
})

test('the folder is made again, and watched again', async () => {
  await rm(folder, { recursive: true })
  await vi.waitFor(async () => expect(await isOurs()).toBe(true))
  await watch.idle()
  await writeFile(path, 'theirs')
  await vi.waitFor(async () => expect(await isOurs()).toBe(true))
})

test('a file that a runtime would take before ours is named with its type and name, until it is gone', async () => {
  const multus = join(folder, '00-multus.conflist')
  await writeFile(multus, '{"name":"multus-cni-network","plugins":[{"type":"multus-shim"}]}')
  const problem = '00-multus.conflist (type multus-shim, name multus-cni-network) comes before it'
  await vi.waitFor(() => expect(watch.problems).toEqual([problem]))
  expect(warnings).toContain(`${name}: ${problem}`)
  await writeFile(join(folder, '00-a.conf'), 'no JSON')
  await vi.waitFor(() =>
    expect(watch.problems).toEqual(['00-a.conf (type unknown, name unknown) comes before it', problem]),
  )
  await Promise.all([rm(multus), rm(join(folder, '00-a.conf'))])
  await vi.waitFor(() => expect(watch.problems).toEqual([]))
})

test('another program that changes the file again and again is left with it for a while, and reported', async () => {
  for (let round = 1; round <= 5; round++) {
    await writeFile(path, `theirs ${round}`)
    await vi.waitFor(() => expect(watch.overwrites).toBe(round))
  }
  await writeFile(path, 'theirs at last')
  await vi.waitFor(() => expect(watch.problems).toEqual([expect.stringContaining('keeps on changing it (5 times')]))
  expect(await isOurs()).toBe(false)
})
