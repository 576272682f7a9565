import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Folder of the lab that the files of one run share. */
    sharedLab: string
  }
}

/** Builds the programs and names the folder of the shared lab. The first test that wants the lab starts it. */
export default function globalSetup(project: TestProject): () => void {
  execFileSync(process.execPath, ['scripts/setup.mjs', '--build'], { stdio: 'inherit' })
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'twinlane-lab-')))
  project.provide('sharedLab', folder)
  return () => {
    execFileSync(process.execPath, ['dist/cli.js', 'lab', 'down', '--state', folder], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    rmSync(folder, { recursive: true, force: true })
  }
}
