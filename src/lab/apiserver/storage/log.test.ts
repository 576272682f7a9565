import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AppendLog } from './log.ts'

describe('the append-only log', () => {
  let folder: string
  let path: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'twinlane-log-'))
    path = join(folder, 'log')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const open = async (options: { compactAtBytes?: number; compact?: () => Promise<void> } = {}) => {
    const records: unknown[] = []
    const log = await AppendLog.open({
      path,
      onRecord: (record) => records.push(record),
      compactAtBytes: options.compactAtBytes ?? 1e9,
      compact: options.compact ?? (() => Promise.resolve()),
    })
    return { log, records }
  }

  it('gives back after reopening what was appended, in order', async () => {
    const { log } = await open()
    await Promise.all([log.append('1'), log.append('{"two":2}'), log.append('"drei"')])
    await log.close()
    const again = await open()
    expect(again.records).toEqual([1, { two: 2 }, 'drei'])
    await again.log.close()
  })

  it('cuts off a torn last line, and appends behind the good ones', async () => {
    const { log } = await open()
    await log.append('1')
    await log.close()
    await appendFile(path, '00000000 {"to')
    const torn = await open()
    expect(torn.records).toEqual([1])
    expect(torn.log.droppedBytes).toBe(13)
    await torn.log.append('2')
    await torn.log.close()
    const again = await open()
    expect([again.records, again.log.droppedBytes]).toEqual([[1, 2], 0])
    await again.log.close()
  })

  it('takes a line whose sum does not fit for the end', async () => {
    const { log } = await open()
    await Promise.all([log.append('"good"'), log.append('"bad"')])
    await log.close()
    await writeFile(path, (await readFile(path, 'utf8')).replace('"bad"', '"bat"'))
    const again = await open()
    expect(again.records).toEqual(['good'])
    await again.log.close()
  })

  it('is settled only when what is pending is on disk', async () => {
    const { log } = await open()
    let isWritten = false
    void log.append('1').then(() => {
      isWritten = true
    })
    await log.settled()
    expect(isWritten).toBe(true)
    await log.close()
  })

  it('is emptied once what it holds has been saved elsewhere', async () => {
    let saved = 0
    const { log } = await open({ compactAtBytes: 40, compact: async () => void saved++ })
    await log.append(JSON.stringify('x'.repeat(50)))
    await log.append('2')
    await log.close()
    expect(saved).toBe(1)
    expect((await open()).records).toEqual([2])
  })
})
