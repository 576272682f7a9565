// The article's cluster on this machine: npm run demo, and npm run demo -- --down to remove it.
// Does what the article does by hand, through the command line, and shows what it shows. Safe to repeat.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { main, SetupError, setup } from './setup.mjs'

const cli = 'dist/cli.js'
const examples = 'examples/article'

await main(async () => {
  if (process.argv.includes('--down')) return down()
  setup()
  const startedAt = Date.now()
  title('The cluster: three nodes on three networks, with real BIRD, OVS and OVN')
  twinlane(['lab', 'up'])
  twinlane(['get', 'no', '-o', 'wide'])
  await routeReflectors()
  await pod()
  await traffic()
  console.log(
    `\nAll of it took ${((Date.now() - startedAt) / 1000).toFixed(1)} s. The cluster stays up. Try:\n${hints()}`,
  )
})

function down() {
  if (!existsSync(cli)) return console.log('Nothing was built here, so nothing runs.')
  return run(['lab', 'down'], { isLoud: true }).status
}

async function routeReflectors() {
  title('BGP: from the full mesh to route reflectors, as in the article')
  const ofMaster = ['lab', 'exec', 'master01', '--', 'twinlane', 'node', 'status']
  await until(
    'master01 has a session with each of the others',
    () => output(ofMaster).match(/Established/g)?.length === 2,
  )
  twinlane(ofMaster)
  twinlane(['label', 'node', 'master01', 'route-reflector=true', '--overwrite'])
  applyReflector()
  twinlane(['apply', '-f', `${examples}/bgpconfig.yaml`])
  twinlane(['apply', '-f', `${examples}/peer.yaml`])
  const sessions = { master01: ['192.168.100.101', '192.168.100.102'], work01: ['192.168.100.10'] }
  for (const [node, peers] of Object.entries(sessions)) {
    const status = ['lab', 'exec', node, '--', 'twinlane', 'node', 'status']
    await until(`${node} has its sessions`, () => isReflected(output(status), peers))
    twinlane(status)
  }
}

/** The article edits the Node in an editor; this is the edit. */
function applyReflector() {
  const before = output(['get', 'nodes.projectcalico.org', 'master01', '-o', 'yaml'])
  const bgp = { asNumber: '63400', routeReflectorClusterID: '192.168.100.10' }
  const added = Object.entries(bgp).filter(([key]) => !before.includes(`${key}:`))
  const after = before.replace(/^( +)bgp:\n/m, (line, indent) =>
    [line, ...added.map(([key, value]) => `${indent}  ${key}: ${value}\n`)].join(''),
  )
  say(['get', 'nodes.projectcalico.org', 'master01', '-o', 'yaml'], '> master01.yaml')
  console.log(
    `  (in spec.bgp: ${Object.entries(bgp)
      .map((pair) => pair.join(': '))
      .join(', ')})`,
  )
  say(['apply', '-f', 'master01.yaml'])
  show(run(['apply', '-f', '-'], { input: after }))
}

function isReflected(text, peers) {
  const rows = text.split('\n').filter((line) => line.includes('node specific'))
  return (
    rows.length === peers.length &&
    peers.every((peer) => rows.some((row) => row.includes(`${peer} `) && row.includes('Established')))
  )
}

async function pod() {
  title('The second network, and a pod on both')
  for (const file of ['yusur-ovn', 'busybox3', 'web']) twinlane(['apply', '-f', `${examples}/${file}.yaml`])
  for (const name of ['busybox3', 'web']) twinlane(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
  twinlane(['get', 'pods', '-o', 'wide'])
  twinlane(['exec', 'busybox3', '--', 'ip', 'addr'])
  twinlane(['exec', 'busybox3', '--', 'ip', 'route'])
  twinlane(['exec', 'busybox3', '--', 'ip', 'rule'])
  twinlane(['get', 'events'])
  twinlane(['lab', 'exec', 'work01', '--', 'ovs-vsctl', 'show'])
}

async function traffic() {
  title('Traffic: eth0 to a pod on another node, eth1 to the outside and to a service')
  const address = (kind, path) => output(['get', kind, 'web', '-o', `jsonpath={${path}}`]).trim()
  const service = address('service', '.spec.clusterIP')
  const own = output(['get', 'pod', 'busybox3', '-o', 'jsonpath={.status.podIP}']).trim()
  const inPod = ['exec', 'busybox3', '--']
  twinlane([...inPod, 'ping', '-c', '3', '-I', own, address('pod', '.status.podIP')])
  twinlane([...inPod, 'ping', '-c', '3', '203.0.113.1'])
  const get = [...inPod, 'timeout', '5', 'wget', '-q', '-O', '-', `http://${service}/`]
  await until(`the service ${service} answers`, () => run(get).status === 0)
  twinlane(get)
}

function hints() {
  return [
    `  alias twinlane=${process.cwd()}/${cli}`,
    '  twinlane lab status',
    '  twinlane lab exec work01 -- twinlane node status',
    '  twinlane lab exec master01 -- ovn-nbctl show',
    '  twinlane exec busybox3 -it -- sh',
    '  kubectl --kubeconfig .twinlane/lab/kubeconfig get pods -A -o wide',
    '  npm run demo -- --down        # remove it all',
  ].join('\n')
}

// --- running and showing

function title(text) {
  console.log(`\n## ${text}`)
}

function say(args, rest = '') {
  console.log(`\n$ twinlane ${args.join(' ')} ${rest}`.trimEnd())
}

/** Shows a command and runs it; the demo ends when it fails. */
function twinlane(args) {
  say(args)
  const done = run(args, { isLoud: true })
  if (done.status !== 0) throw new SetupError(`twinlane ${args.join(' ')} ended with exit code ${done.status}.`)
}

function output(args) {
  return run(args).stdout
}

function show({ status, stdout, stderr }) {
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  if (status !== 0) throw new SetupError(`The command ended with exit code ${status}.`)
}

function run(args, { input, isLoud = false } = {}) {
  const env = { ...process.env, KUBECONFIG: '.twinlane/lab/kubeconfig' }
  delete env.NODE_EXTRA_CA_CERTS
  const stdio = isLoud ? ['ignore', 'inherit', 'inherit'] : ['pipe', 'pipe', 'pipe']
  return spawnSync(process.execPath, [cli, ...args], { env, encoding: 'utf8', stdio, input: input ?? '' })
}

async function until(what, isSo, timeoutMs = 30_000) {
  const startedAt = Date.now()
  for (let told = false; !isSo(); told = true) {
    if (Date.now() - startedAt > timeoutMs) throw new SetupError(`Waited ${timeoutMs / 1000} s in vain until ${what}.`)
    if (!told) console.log(`\n… until ${what}`)
    await delay(200)
  }
}
