import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spawnProcess } from '../../../base/exec.ts'
import { silentLog } from '../../../base/log.ts'
import type { ApiObject } from '../object.ts'
import type { Change } from './history.ts'
import { Store } from './store.ts'

const thing = (name: string, value = 0): ApiObject => ({ apiVersion: 'v1', kind: 'Thing', metadata: { name }, value })

describe('the store', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'twinlane-store-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const open = (options: { compactAtBytes?: number; historyLength?: number } = {}) =>
    Store.open({ folder, log: silentLog, ...options })
  const names = (store: Store) => store.list('things').map((stored) => stored.object.metadata.name)

  it('counts one resourceVersion over all collections, deletions included, across restarts', async () => {
    const store = await open()
    store.put('things', 'a', thing('a'))
    store.put('others', 'a', thing('a'))
    expect(store.remove('things', 'a')?.object.metadata.resourceVersion).toBe('3')
    await store.close()
    const again = await open()
    expect(again.revision).toBe(3)
    expect(again.put('things', 'b', thing('b')).object.metadata.resourceVersion).toBe('4')
    await again.close()
  })

  it('announces a change only when it is on disk, in order', async () => {
    const store = await open()
    const seen: Change[] = []
    store.onChange((change) => seen.push(change))
    store.put('things', 'a', thing('a'))
    store.put('things', 'a', thing('a', 1))
    store.remove('things', 'a')
    await store.durable()
    // Whoever waits for the disk, to answer, comes first.
    expect(seen).toEqual([])
    await new Promise((resolve) => setImmediate(resolve))
    expect(seen.map(({ type, revision }) => [type, revision])).toEqual([
      ['ADDED', 1],
      ['MODIFIED', 2],
      ['DELETED', 3],
    ])
    await store.close()
  })

  it('tells the changes after a revision, or that it no longer knows them', async () => {
    const store = await open({ historyLength: 3 })
    for (let value = 1; value <= 6; value++) store.put('things', 'a', thing('a', value))
    await store.durable()
    expect(store.changesAfter(4, 'things')?.map((change) => change.revision)).toEqual([5, 6])
    expect(store.changesAfter(6, 'things')).toEqual([])
    expect(store.changesAfter(1, 'things')).toBeUndefined()
    await store.close()
  })

  it('folds a long log into a snapshot and loses nothing', async () => {
    const store = await open({ compactAtBytes: 2000 })
    for (let value = 1; value <= 100; value++) {
      store.put('things', `t${value % 7}`, thing(`t${value % 7}`, value))
      if (value % 10 === 0) await store.durable()
    }
    store.remove('things', 't3')
    await store.close()
    expect(await readdir(folder)).toContain('snapshot.jsonl')
    expect((await stat(join(folder, 'log.jsonl'))).size).toBeLessThan(3000)
    const again = await open()
    expect(names(again)).toEqual(['t0', 't1', 't2', 't4', 't5', 't6'])
    expect(again.get('things', 't2')?.object.value).toBe(100)
    expect(again.revision).toBe(101)
    await again.close()
  })

  it('keeps everything that it has acknowledged when it is killed in the middle of writing', async () => {
    const program = `
      import { Store } from ${JSON.stringify(new URL('./store.ts', import.meta.url).pathname)}
      const quiet = { debug() {}, info() {}, warn() {}, error() {} }
      const store = await Store.open({ folder: ${JSON.stringify(folder)}, log: quiet, compactAtBytes: 20000 })
      for (let number = 1; ; number++) {
        store.put('things', 'n' + number, { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'n' + number } })
        await store.durable()
        process.stdout.write(number + '\\n')
      }`
    const child = spawnProcess(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program])
    let output = ''
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (output.split('\n').length > 300) child.kill('SIGKILL')
      })
      child.once('close', () => resolve())
    })
    const acknowledged = Number(output.split('\n').at(-2))
    expect(acknowledged).toBeGreaterThan(200)
    const store = await open()
    expect(names(store).length).toBeGreaterThanOrEqual(acknowledged)
    expect(store.revision).toBeGreaterThanOrEqual(acknowledged)
    await store.close()
  }, 30_000)
})
