import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { describeError } from '../../../base/errors.ts'
import { exec } from '../../../base/exec.ts'
import { queryBird } from '../../../bird/control.ts'
import { type CliIo, note, print } from '../../io.ts'

interface DiagsFlags {
  output: string
  birdSocket: string
  birdConfig: string
  agent: string
}

/** What is asked, by the name of the file that the answer goes to. */
export interface Question {
  readonly file: string
  ask(): Promise<string>
}

export function registerNodeDiags(node: Command, io: CliIo): void {
  node
    .command('diags')
    .description(
      'Collect what helps to find out what is wrong with this node in one archive. Run it on the node, as root. Passwords are left out.',
    )
    .option('-o, --output <folder>', 'where the archive goes', '.')
    .option('--bird-socket <path>', "BIRD's control socket", '/run/bird/bird.ctl')
    .option('--bird-config <path>', "BIRD's configuration", '/etc/bird/bird.conf')
    .option('--agent <address>', "the agent's health address", '127.0.0.1:9091')
    .addHelpText('after', '\nExamples:\n  twinlane node diags -o /tmp')
    .action(async (flags: DiagsFlags) => {
      const folder = resolve(io.cwd, flags.output)
      const { archive, failed } = await collectDiags(folder, questions(flags), new Date())
      for (const line of failed) note(io, `left out: ${line}`)
      print(io, `Diags saved to ${archive}`)
    })
}

/** Asks everything; what cannot be had is in its file as the reason, and no reason to end. Resolves with the archive. */
export async function collectDiags(
  folder: string,
  all: readonly Question[],
  now: Date,
): Promise<{ archive: string; failed: string[] }> {
  const name = `diags-${stamp(now)}`
  const work = await mkdtemp(join(tmpdir(), 'twinlane-diags-'))
  const failed: string[] = []
  try {
    await mkdir(join(work, name))
    for (const { file, ask } of all) {
      const text = await ask().catch((error) => {
        failed.push(`${file}: ${describeError(error)}`)
        return `${describeError(error)}\n`
      })
      await writeFile(join(work, name, file), withoutPasswords(text))
    }
    await mkdir(folder, { recursive: true })
    const archive = join(folder, `${name}.tar.gz`)
    await exec('tar', ['-czf', archive, '-C', work, name])
    await chmod(archive, 0o600)
    return { archive, failed }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Of BIRD's configuration. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/\bpassword\s+"[^"]*"/g, 'password "(left out)"')
}

/** As calicoctl names its archives. */
function stamp(now: Date): string {
  const [date = '', time = ''] = now.toISOString().slice(0, 19).split('T')
  return `${date.replaceAll('-', '')}_${time.replaceAll(':', '')}`
}

const commands: Readonly<Record<string, readonly string[]>> = {
  date: ['date'],
  hostname: ['hostname'],
  kernel: ['uname', '-a'],
  links: ['ip', '-d', '-s', 'link'],
  addresses: ['ip', 'address'],
  'routes-ipv4': ['ip', '-4', 'route', 'show', 'table', 'all'],
  'routes-ipv6': ['ip', '-6', 'route', 'show', 'table', 'all'],
  'rules-ipv4': ['ip', '-4', 'rule'],
  'rules-ipv6': ['ip', '-6', 'rule'],
  neighbours: ['ip', 'neighbour'],
  sockets: ['ss', '-tuanp'],
  nftables: ['nft', 'list', 'ruleset'],
  sysctls: ['sysctl', '-a', '--pattern', '^net[.]ipv[46][.](conf|ip_forward|neigh)'],
  'cni-configurations': ['sh', '-c', 'for f in /etc/cni/net.d/*.conf*; do echo "# $f"; cat "$f"; echo; done'],
  'journal-agent': ['journalctl', '-n', '5000', '--no-pager', '-u', 'twinlane-agent'],
  'journal-bird': ['journalctl', '-n', '5000', '--no-pager', '-u', 'bird'],
}

const birdCommands: Readonly<Record<string, string>> = {
  'bird-status': 'show status',
  'bird-protocols': 'show protocols all',
  'bird-routes': 'show route all',
}

function questions({ birdSocket, birdConfig, agent }: DiagsFlags): Question[] {
  return [
    ...Object.entries(commands).map(([file, [program = '', ...args]]) => ({
      file,
      ask: async () => (await exec(program, args)).stdout,
    })),
    ...Object.entries(birdCommands).map(([file, command]) => ({
      file,
      ask: async () => `${(await queryBird(birdSocket, command)).text}\n`,
    })),
    { file: 'bird.conf', ask: () => readFile(birdConfig, 'utf8') },
    ...['readyz', 'metrics'].map((path) => ({ file: `agent-${path}`, ask: () => fetchText(agent, `/${path}`) })),
  ]
}

/** A host and port, or the path of a unix socket. */
function fetchText(address: string, path: string): Promise<string> {
  const colon = address.lastIndexOf(':')
  const place = address.startsWith('/')
    ? { socketPath: address }
    : { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
  return new Promise((done, fail) => {
    const call = request({ ...place, path, agent: false, timeout: 5000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => done(text))
    })
    call.on('timeout', () => call.destroy(new Error(`no answer of ${address}`)))
    call.on('error', fail)
    call.end()
  })
}
