import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { appendToSmallFile, findSmallFile, removeSmallFile, replaceSmallFile } from './small-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'small-file-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('small files', () => {
  it('are there, with their mode and nothing beside them, before they survive a loss of power', async () => {
    const path = join(folder, 'a')
    const { survives } = replaceSmallFile(path, 'one\n', 0o600)
    expect(await readFile(path, 'utf8')).toBe('one\n')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['a'])
    await survives
  })

  it('are replaced and appended to', async () => {
    const path = join(folder, 'a')
    await replaceSmallFile(path, 'one\n', 0o600).survives
    await replaceSmallFile(path, 'two\n', 0o600).survives
    appendToSmallFile(path, 'three\n')
    expect(findSmallFile(path)).toBe('two\nthree\n')
  })

  it('survive side by side', async () => {
    const written = Array.from({ length: 50 }, (_, index) => replaceSmallFile(join(folder, `${index}`), 'x', 0o600))
    await Promise.all(written.map(({ survives }) => survives))
    expect(await readdir(folder)).toHaveLength(50)
  })

  it('are not made by appending, and removing one that is not there is no error', () => {
    expect(() => appendToSmallFile(join(folder, 'a'), 'x')).toThrow('ENOENT')
    removeSmallFile(join(folder, 'a'))
    expect(findSmallFile(join(folder, 'a'))).toBeUndefined()
  })

  it('leave nothing when they cannot be written', async () => {
    expect(() => replaceSmallFile(join(folder, 'gone', 'a'), 'x', 0o600)).toThrow('ENOENT')
    expect(await readdir(folder)).toEqual([])
  })
})
