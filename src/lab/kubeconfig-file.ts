import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigError } from '../base/errors.ts'
import { findFile, writeFileAtomic } from '../base/file.ts'
import { isLabKubeconfig } from './kubeconfig.ts'
import type { StateFolder } from './state-folder.ts'

/** Refuses to replace a kubeconfig that no lab wrote. Throws ConfigError. */
export async function checkKubeconfigTarget(path: string): Promise<void> {
  const text = await findFile(path)
  if (text === undefined || isLabKubeconfig(text)) return
  throw new ConfigError('--kubeconfig', `${path} exists and is not a lab’s; it would be replaced`, {
    fix: 'Name a file that does not exist, and add it to KUBECONFIG.',
  })
}

/** Writes the lab's kubeconfig to one more place, which `lab down` removes. */
export async function copyKubeconfig(state: StateFolder, path: string): Promise<void> {
  const target = resolve(path)
  if (target === state.kubeconfig) return
  const text = (await findFile(state.kubeconfig)) ?? ''
  await mkdir(dirname(target), { recursive: true })
  await writeFileAtomic(target, text, { mode: 0o600 })
  const copies = new Set([...(await readCopies(state)), target])
  await writeFile(state.kubeconfigCopies, `${[...copies].join('\n')}\n`)
}

/** Removes the copies that still are this lab's. */
export async function removeKubeconfigCopies(state: StateFolder): Promise<void> {
  for (const path of await readCopies(state)) {
    const text = await findFile(path)
    if (text !== undefined && isLabKubeconfig(text)) await rm(path, { force: true })
  }
}

async function readCopies(state: StateFolder): Promise<string[]> {
  return ((await findFile(state.kubeconfigCopies)) ?? '').split('\n').filter(Boolean)
}
