import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BirdError, queryBird } from './control.ts'

let folder: string
let server: Server | undefined
let seen: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bird-'))
  seen = []
})

afterEach(async () => {
  server?.close()
  server = undefined
  await rm(folder, { recursive: true, force: true })
})

async function serve(answer: (command: string, socket: Socket) => void): Promise<string> {
  const path = join(folder, 'bird.ctl')
  server = createServer((socket) => {
    socket.write('0001 BIRD 2.0.12 ready.\n')
    socket.on('data', (data) => {
      seen.push(String(data).trim())
      answer(String(data).trim(), socket)
    })
  })
  await new Promise<void>((resolve) => server?.listen(path, resolve))
  return path
}

describe('queryBird', () => {
  it('collects every line of a reply that arrives in pieces', async () => {
    const path = await serve((_, socket) => {
      socket.write('0002-Reading configuration from /etc/bi')
      setTimeout(() => socket.write('rd/bird.conf\n0003 Reconf'), 5)
      setTimeout(() => socket.write('igured\n'), 10)
    })
    const reply = await queryBird(path, 'configure')
    expect(reply.lines).toEqual([
      { code: 2, text: 'Reading configuration from /etc/bird/bird.conf' },
      { code: 3, text: 'Reconfigured' },
    ])
  })

  it('throws BirdError with the code and text of a refusal', async () => {
    const path = await serve((_, socket) => socket.write('0002-Reading x\n8002 x:1:16 syntax error\n'))
    await expect(queryBird(path, 'configure')).rejects.toThrow(
      expect.objectContaining({ code: 8002, message: expect.stringContaining('x:1:16 syntax error') }),
    )
  })

  it('says that BIRD does not run when there is no socket', async () => {
    await expect(queryBird(join(folder, 'none'), 'show status')).rejects.toThrow(/BIRD does not answer on .*none/)
  })

  it('gives up at the deadline', async () => {
    const path = await serve(() => {})
    await expect(queryBird(path, 'show status', { timeoutMs: 30 })).rejects.toThrow(BirdError)
  })

  it('fails when BIRD goes away in the middle of a reply', async () => {
    const path = await serve((_, socket) => socket.end('0002-Reading\n'))
    await expect(queryBird(path, 'configure')).rejects.toThrow('before its answer was complete')
  })

  it('asks one thing after the other', async () => {
    let open = 0
    let most = 0
    const path = await serve((_, socket) => {
      most = Math.max(most, ++open)
      setTimeout(() => {
        open--
        socket.write('0000 \n')
      }, 5)
    })
    await Promise.all(['a', 'b', 'c'].map((command) => queryBird(path, command)))
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(most).toBe(1)
  })

  it('refuses two commands in one', async () => {
    await expect(queryBird('/nowhere', 'show status\ndown')).rejects.toThrow('more than one command')
  })
})
