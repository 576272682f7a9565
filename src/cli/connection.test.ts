import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findKubeConfig } from './connection.ts'

let root: string
const kubeconfig = (server: string): string =>
  JSON.stringify({
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server } }],
    contexts: [{ name: 'x', context: { cluster: 'x' } }],
  })

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'twinlane-cli-'))
  await mkdir(join(root, 'lab', '.twinlane', 'lab'), { recursive: true })
  await mkdir(join(root, 'home', '.kube'), { recursive: true })
  await writeFile(join(root, 'lab', '.twinlane', 'lab', 'kubeconfig'), kubeconfig('http://lab'))
  await writeFile(join(root, 'home', '.kube', 'config'), kubeconfig('http://home'))
  await writeFile(join(root, 'named'), kubeconfig('http://named'))
})
afterAll(() => rm(root, { recursive: true }))

const find = async (folder: string, env: Record<string, string>, flags = {}): Promise<string> =>
  (await findKubeConfig({ cwd: join(root, folder), env }, flags)).server

describe('the kubeconfig is', () => {
  test('the one that --kubeconfig names, before all others', async () => {
    expect(await find('', { KUBECONFIG: '/nowhere', HOME: join(root, 'home') }, { kubeconfig: 'named' })).toBe(
      'http://named',
    )
  })

  test('the one that $KUBECONFIG names, before the lab', async () => {
    expect(await find('lab', { KUBECONFIG: join(root, 'named') })).toBe('http://named')
  })

  test('that of the lab of the current folder, before that of the user', async () => {
    expect(await find('lab', { HOME: join(root, 'home') })).toBe('http://lab')
    expect(await find('home', { HOME: join(root, 'home') })).toBe('http://home')
  })

  test('one that is named and not there is an error, not a reason to take another', async () => {
    await expect(find('lab', {}, { kubeconfig: 'gone' })).rejects.toThrow('gone does not exist')
  })

  test('missing: the error says what to do', async () => {
    await expect(find('', { HOME: join(root, 'nobody') })).rejects.toMatchObject({
      fix: expect.stringContaining('lab up'),
    })
  })
})
