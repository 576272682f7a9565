import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { appendRotated } from './rotating-file.ts'

let folder: string
let path: string
const limits = { maxBytes: 20, maxBackups: 2, maxAgeMs: 0 }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rotating-'))
  path = join(folder, 'logs', 'x.log')
})

afterEach(() => rm(folder, { recursive: true, force: true }))

test('lines that are written side by side all arrive, in order, in a folder that is made', async () => {
  const lines = Array.from({ length: 5 }, (_, n) => `${n}\n`)
  await Promise.all(lines.map((line) => appendRotated(path, line, limits)))
  expect(await readFile(path, 'utf8')).toBe(lines.join(''))
})

test('a file that is full is put aside, and only so many of them are kept', async () => {
  for (let n = 0; n < 5; n++) {
    await appendRotated(path, `line number ${n}\n`, limits)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const names = (await readdir(join(folder, 'logs'))).sort()
  expect(names).toEqual([
    expect.stringMatching(/^x-\d{4}-.*\.log$/),
    expect.stringMatching(/^x-\d{4}-.*\.log$/),
    'x.log',
  ])
  expect(await readFile(path, 'utf8')).toBe('line number 4\n')
  expect(await readFile(join(folder, 'logs', names[0] ?? ''), 'utf8')).toBe('line number 2\n')
})

test('what is too old goes, and files of others stay', async () => {
  await appendRotated(path, 'a line of some length\n', limits)
  const old = join(folder, 'logs', 'x-2020-01-01T00-00-00.000.log')
  const foreign = join(folder, 'logs', 'x-files.log')
  await Promise.all([writeFile(old, ''), writeFile(foreign, '')])
  await appendRotated(path, 'another line\n', { ...limits, maxBackups: 0, maxAgeMs: 60_000 })
  const names = await readdir(join(folder, 'logs'))
  expect(names).toHaveLength(3)
  expect(names).toContain('x-files.log')
  expect(names).not.toContain('x-2020-01-01T00-00-00.000.log')
})
