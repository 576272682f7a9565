import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { installCni } from './install-cni.ts'
import { buildNetConf, renderNetConf, writeNetConf } from './write-net-conf.ts'

let folder: string
let shim: string
let bin: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'install-'))
  bin = join(folder, 'bin')
  shim = join(folder, 'shim')
  await writeFile(shim, 'first: CNI plugin of Twinlane')
})
afterEach(() => rm(folder, { recursive: true }))

test('the shim is there under its own name and those of the roles, as one file that can be executed', async () => {
  expect(await installCni(shim, bin)).toEqual({ foreign: [] })
  expect((await readdir(bin)).sort()).toEqual([
    'calico',
    'calico-ipam',
    'multus',
    'multus-shim',
    'ovn-k8s-cni-overlay',
    'twinlane',
    'twinlane-ipam',
  ])
  const files = await Promise.all((await readdir(bin)).map((name) => stat(join(bin, name))))
  expect(new Set(files.map((file) => file.ino)).size).toBe(1)
  for (const file of files) expect(file.mode & 0o777).toBe(0o755)
})

test('an older one of ours is replaced, and installing again changes nothing', async () => {
  await installCni(shim, bin)
  await writeFile(shim, 'second: CNI plugin of Twinlane')
  await installCni(shim, bin)
  await installCni(shim, bin)
  expect(await readdir(bin)).toHaveLength(7)
  for (const name of await readdir(bin)) expect(await readFile(join(bin, name), 'utf8')).toContain('second')
})

test('what is left of an installation that was killed does no harm', async () => {
  await installCni(shim, bin)
  await writeFile(join(bin, 'twinlane.new'), 'half')
  await installCni(shim, bin)
  expect(await readdir(bin)).toHaveLength(7)
})

test("another vendor's executable is left alone under a role's name, and an error under our own", async () => {
  await installCni(shim, bin)
  await rm(join(bin, 'calico'))
  await writeFile(join(bin, 'calico'), 'theirs')
  expect(await installCni(shim, bin)).toEqual({ foreign: ['calico'] })
  expect(await readFile(join(bin, 'calico'), 'utf8')).toBe('theirs')
  await rm(join(bin, 'twinlane'))
  await writeFile(join(bin, 'twinlane'), 'theirs')
  await expect(installCni(shim, bin)).rejects.toThrow('is not the CNI executable of Twinlane')
})

test('the configuration for the runtime is written once and put right when it was changed', async () => {
  const file = { folder: join(folder, 'net.d'), name: '00-twinlane.conf', text: renderNetConf(buildNetConf()) }
  const path = join(file.folder, file.name)
  expect(await writeNetConf(file)).toBe('missing')
  const { ino } = await stat(path)
  expect(await writeNetConf(file)).toBe('right')
  expect((await stat(path)).ino).toBe(ino)
  await writeFile(path, '')
  expect(await writeNetConf(file)).toBe('changed')
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ type: 'twinlane', delegates: [{ type: 'calico' }] })
})
