import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exec } from '../../../base/exec.ts'
import { collectDiags } from './diags.ts'

test('node diags packs every answer, the reason for what it cannot have, and no password', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'diags-test-'))
  try {
    const secret = 'protocol bgp x {\n  password "s3cret";\n}\n'
    const questions = [
      { file: 'links', ask: async () => 'lo: up\n' },
      { file: 'bird.conf', ask: async () => secret },
      { file: 'nftables', ask: () => Promise.reject(new Error('nft is not there')) },
    ]
    const { archive, failed } = await collectDiags(folder, questions, new Date('2026-11-24T13:05:09Z'))
    expect(archive).toBe(join(folder, 'diags-20261124_130509.tar.gz'))
    expect(failed).toEqual(['nftables: nft is not there'])
    const read = async (file: string) => (await exec('tar', ['-xzOf', archive, `diags-20261124_130509/${file}`])).stdout
    expect(await read('links')).toBe('lo: up\n')
    expect(await read('nftables')).toBe('nft is not there\n')
    expect(await read('bird.conf')).toBe('protocol bgp x {\n  password "(left out)";\n}\n')
  } finally {
    await rm(folder, { recursive: true })
  }
})
