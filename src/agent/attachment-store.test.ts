import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AttachmentRecord } from './attachment-record.ts'
import { AttachmentStore, CorruptRecordError } from './attachment-store.ts'

const record: AttachmentRecord = {
  version: 1,
  state: 'adding',
  containerId: 'c1',
  ifName: 'eth0',
  netns: '/run/netns/c1',
  pod: { namespace: 'default', name: 'web', uid: 'u1' },
  args: {},
  isWholePod: true,
  attachments: [],
}
const added: AttachmentRecord = { ...record, state: 'added' }

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attachments-'))
  path = join(folder, 'c1@eth0.json')
})
afterEach(() => rm(folder, { recursive: true }))

/** As the next agent sees the folder. */
async function reopened(): Promise<AttachmentStore> {
  const store = new AttachmentStore(folder)
  await store.open()
  return store
}

describe('the record of an ADD', () => {
  it('is found after a kill at its beginning and at its end', async () => {
    const store = await reopened()
    await store.begin(record).survives
    expect((await reopened()).find(record)).toEqual(record)
    store.complete(added)
    expect((await reopened()).find(record)).toEqual(added)
    store.remove(record)
    expect((await reopened()).find(record)).toBeUndefined()
  })

  it('is that of the beginning wherever the note of the end is torn', async () => {
    const store = await reopened()
    await store.begin(record).survives
    const begun = (await readFile(path)).length
    store.complete(added)
    const whole = (await readFile(path)).length
    for (let size = whole - 1; size >= begun; size--) {
      await truncate(path, size)
      expect((await reopened()).find(record), `${size} of ${whole} bytes`).toEqual(record)
    }
  })

  it('is that of the beginning where a loss of power left zeros for the end', async () => {
    const store = await reopened()
    await store.begin(record).survives
    await appendFile(path, '\0'.repeat(300))
    expect((await reopened()).find(record)).toEqual(record)
  })

  it('is reported as corrupt, not taken for absent, when its beginning is damaged', async () => {
    await writeFile(path, '{"version":1')
    const store = await reopened()
    expect(() => store.find(record)).toThrow(CorruptRecordError)
    expect((await store.list()).corrupt).toHaveLength(1)
  })

  it('is reported as corrupt when its end is a whole line that is no record', async () => {
    const store = await reopened()
    await store.begin(record).survives
    await appendFile(path, '{"version":1}\n')
    expect(() => store.find(record)).toThrow(CorruptRecordError)
  })

  it('holds what changed in a running pod', async () => {
    const store = await reopened()
    await store.begin(record).survives
    store.complete(added)
    const changed = { ...added, args: { changed: 'yes' } }
    await store.change(changed)
    expect((await reopened()).find(record)).toEqual(changed)
  })
})
