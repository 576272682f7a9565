import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { waitFor } from '../../src/base/observable.ts'
import { connectOvsdb, type OvsdbClient } from '../../src/ovsdb/client.ts'
import { OvsdbError } from '../../src/ovsdb/errors.ts'
import { Transaction } from '../../src/ovsdb/transaction.ts'

interface Tables {
  Logical_Switch: { name: string; ports: readonly string[]; other_config: Readonly<Record<string, string>> }
  Logical_Switch_Port: {
    name: string
    addresses: readonly string[]
    options: Readonly<Record<string, string>>
    up: boolean | undefined
    tag: number | undefined
  }
  NB_Global: { nb_cfg: number }
}

let folder: string
let server: ReturnType<typeof spawn>
let client: OvsdbClient<Tables>
const stop = new AbortController()

function startServer(): void {
  const remote = `--remote=punix:${folder}/db.sock`
  server = spawn('ovsdb-server', [join(folder, 'nb.db'), remote, `--unixctl=${folder}/ctl`], { stdio: 'ignore' })
}

function nbctl(...args: string[]): string {
  return execFileSync('ovn-nbctl', [`--db=unix:${folder}/db.sock`, ...args], { encoding: 'utf8' }).trim()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ovsdb-'))
  execFileSync('ovsdb-tool', ['create', join(folder, 'nb.db'), '/usr/share/ovn/ovn-nb.ovsschema'])
  startServer()
  client = connectOvsdb<Tables>({
    remote: `unix:${folder}/db.sock`,
    database: 'OVN_Northbound',
    tables: {
      Logical_Switch: ['name', 'ports', 'other_config'],
      Logical_Switch_Port: ['name', 'addresses', 'options', 'up', 'tag'],
      NB_Global: ['nb_cfg'],
    },
    log: silentLog,
  })
  await client.start(stop.signal)
})

afterEach(async () => {
  await client.stop()
  server.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

function addSwitch(): Promise<unknown> {
  const transaction = new Transaction<Tables>()
  const port = transaction.insert('Logical_Switch_Port', {
    name: 'p1',
    addresses: ['0a:58:0a:90:00:03 10.144.0.3'],
    tag: 7,
  })
  transaction.insert('Logical_Switch', { name: 'sw', ports: [port], other_config: { subnet: '10.144.0.0/24' } })
  return client.transact(transaction)
}

const waiting = { what: 'a row in the copy', timeoutMs: 5000 }
const findPort = (name: string) => client.table('Logical_Switch_Port').find((row) => row.name === name)

test('the copy shows a transaction as soon as it has resolved, and ovn-nbctl sees the same', async () => {
  await addSwitch()
  expect(findPort('p1')).toMatchObject({ tag: 7, up: undefined, options: {} })
  expect(nbctl('lsp-get-addresses', 'p1')).toBe('0a:58:0a:90:00:03 10.144.0.3')
  expect(nbctl('get', 'Logical_Switch', 'sw', 'other_config:subnet')).toBe('"10.144.0.0/24"')
})

test('what ovn-nbctl changes arrives: sets, maps, optionals and deletions', async () => {
  await addSwitch()
  nbctl('lsp-set-addresses', 'p1', '0a:58:0a:90:00:03 10.144.0.3', 'unknown')
  nbctl('lsp-set-options', 'p1', 'a=1', 'b=2', '--', 'clear', 'Logical_Switch_Port', 'p1', 'tag')
  nbctl('set', 'Logical_Switch_Port', 'p1', 'options:b=3', '--', 'remove', 'Logical_Switch_Port', 'p1', 'options', 'a')
  const port = await waitFor(client, () => (findPort('p1')?.options.b === '3' ? findPort('p1') : undefined), waiting)
  expect(port).toMatchObject({ tag: undefined, options: { b: '3' } })
  expect([...port.addresses].sort()).toEqual(['0a:58:0a:90:00:03 10.144.0.3', 'unknown'])
  nbctl('lsp-del', 'p1')
  await waitFor(client, () => (findPort('p1') === undefined ? true : undefined), waiting)
  expect([...client.table('Logical_Switch').rows()].map((row) => row.ports)).toEqual([[]])
})

test('errors name the operation and the table', async () => {
  await addSwitch()
  const twice = new Transaction<Tables>()
  const port = twice.insert('Logical_Switch_Port', { name: 'p1' })
  twice.mutate('Logical_Switch', { name: 'sw' }, { ports: { insert: [port] } })
  await expect(client.transact(twice)).rejects.toThrow(/^commit: constraint violation/)
  const absent = new Transaction<Tables>().requireAbsent('Logical_Switch', { name: 'sw' })
  await expect(client.transact(absent)).rejects.toThrow('wait for Logical_Switch: timed out')
  const unknown = new Transaction<Tables>()
  unknown.insert('Logical_Switch', { nmae: 'x' } as never)
  await expect(client.transact(unknown)).rejects.toThrow(OvsdbError)
})

test('mutations set keys of a map that are there, and guards on values hold', async () => {
  await addSwitch()
  const where = { name: 'sw', other_config: { subnet: '10.144.0.0/24' } }
  const change = { other_config: { set: { subnet: '10.144.1.0/24', mcast_snoop: 'true' } } }
  await client.transact(
    new Transaction<Tables>().requirePresent('Logical_Switch', where).mutate('Logical_Switch', { name: 'sw' }, change),
  )
  expect(client.table('Logical_Switch').find(() => true)?.other_config).toEqual({
    subnet: '10.144.1.0/24',
    mcast_snoop: 'true',
  })
  const late = new Transaction<Tables>().requirePresent('Logical_Switch', where)
  await expect(client.transact(late)).rejects.toThrow('timed out')
})

test('after the server was killed and came back, what changed meanwhile is told as a change', async () => {
  await addSwitch()
  const heard: (string | undefined)[] = []
  server.kill('SIGKILL')
  await waitFor(client, () => (client.isConnected ? undefined : true), { what: 'the end', timeoutMs: 5000 })
  client.onRows((changes) =>
    heard.push(...changes.map(({ table, after }) => `${table} ${(after as { name?: string })?.name}`)),
  )
  const insert = { op: 'insert', table: 'Logical_Switch', row: { name: 'other' } }
  execFileSync('ovsdb-tool', ['transact', join(folder, 'nb.db'), JSON.stringify(['OVN_Northbound', insert])])
  startServer()
  await waitFor(client, () => (client.table('Logical_Switch').size === 2 ? true : undefined), waiting)
  expect(heard).toEqual(['Logical_Switch other'])
  await expect(
    client.transact(new Transaction<Tables>().delete('Logical_Switch', { name: 'other' })),
  ).resolves.toBeDefined()
})

test('a transaction without a connection says what is missing', async () => {
  const lost = connectOvsdb<Tables>({
    remote: `unix:${folder}/nothing.sock`,
    database: 'OVN_Northbound',
    tables: {},
    log: silentLog,
    connectTimeoutMs: 50,
  })
  await expect(lost.transact(new Transaction<Tables>())).rejects.toThrow(
    `timed out after 50 ms waiting for a connection to OVN_Northbound at unix:${folder}/nothing.sock`,
  )
})

test('the copy equals what ovsdb-client dumps', async () => {
  await addSwitch()
  for (let n = 0; n < 20; n++) nbctl('ls-add', `s${n}`, '--', 'lsp-add', `s${n}`, `q${n}`)
  await waitFor(client, () => (client.table('Logical_Switch').size === 21 ? true : undefined), waiting)
  const text = execFileSync(
    'ovsdb-client',
    ['--format=json', 'dump', `unix:${folder}/db.sock`, 'OVN_Northbound', 'Logical_Switch_Port', 'name', '_uuid'],
    { encoding: 'utf8' },
  )
  const dumped = (JSON.parse(text) as { data: [[string, string], string][] }).data.map(([[, uuid], name]) => [
    uuid,
    name,
  ])
  const copied = [...client.table('Logical_Switch_Port').rows()].map((row) => [row._uuid, row.name])
  const sorted = (pairs: unknown[][]) => pairs.map(String).sort()
  const names = dumped.map(([a, b]) => (String(a).includes('-') && String(a).length === 36 ? [a, b] : [b, a]))
  expect(sorted(copied)).toEqual(sorted(names))
})
