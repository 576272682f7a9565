import { readFile, rename } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { ConfigError, describeError } from '../../../base/errors.ts'
import { writeFileAtomic } from '../../../base/file.ts'
import { parseConfigList } from '../../../cni/config.ts'
import { type CliIo, note, print, UsageError } from '../../io.ts'
import { buildMultusConf, type MultusConf, type MultusConfOptions } from './build-multus-conf.ts'
import { type FoundPrimary, findPrimary } from './find-primary.ts'

interface ConfigFlags {
  multusConfFile: string
  cniConfDir: string
  multusAutoconfigDir?: string
  multusMasterCniFileName?: string
  cniVersion?: string
  forceCniVersion: boolean
  overrideNetworkName: boolean
  namespaceIsolation: boolean
  globalNamespaces?: string
  readinessIndicatorFile?: string
  multusCniConfDir?: string
  additionalBinDir?: string
  multusKubeconfigFileHost?: string
  multusLogToStderr: boolean
  multusLogLevel?: string
  multusLogFile?: string
  renameConfFile: boolean
}

/** Flags that mean nothing here: the agent installs its executable, and its credentials are its own. */
const withoutMeaning = [
  '--cni-bin-dir <dir>',
  '--multus-bin-file <file>',
  '--skip-multus-binary-copy [boolean]',
  '--cleanup-config-on-exit [boolean]',
  '--skip-config-watch [boolean]',
  '--skip-tls-verify [boolean]',
]

/** `twinlane cni config`: what Multus' entrypoint does with the same flags, once. */
export function registerCniConfig(cni: Command, io: CliIo): void {
  const command = cni
    .command('config')
    .description("Write the meta-plugin's CNI configuration around the node's default network. Takes Multus' flags.")
    .option('--multus-conf-file <auto|file>', 'make it, or take this file', 'auto')
    .option('--cni-conf-dir <dir>', 'where the container runtime looks', '/etc/cni/net.d')
    .option('--multus-autoconfig-dir <dir>', 'where the default network is looked for (default: --cni-conf-dir)')
    .option('--multus-master-cni-file-name <name>', 'file of the default network (default: the first in order)')
    .option('--cni-version <version>', 'CNI version to write (default: that of the default network)')
    .option('--force-cni-version [boolean]', 'write it into the default network too', parseFlag, false)
    .option('--override-network-name [boolean]', 'take the name of the default network', parseFlag, false)
    .option('--namespace-isolation [boolean]', 'pods use definitions of their own namespace only', parseFlag, false)
    .option('--global-namespaces <list>', 'namespaces whose definitions every pod may use')
    .option('--readiness-indicator-file <file>', 'no pod is attached before this file is there')
    .option('--multus-cni-conf-dir <dir>', 'configurations for definitions that have none')
    .option('--additional-bin-dir <dir>', 'written as binDir')
    .option('--multus-kubeconfig-file-host <file>', 'written as kubeconfig')
    .option('--multus-log-to-stderr [boolean]', 'written as logToStderr', parseFlag, true)
    .option('--multus-log-level <level>', 'written as logLevel')
    .option('--multus-log-file <file>', 'written as logFile')
    .option('--rename-conf-file [boolean]', "rename the default network's file to <name>.old", parseFlag, false)
  for (const flags of withoutMeaning) command.option(flags, 'accepted, means nothing here')
  command.action((flags: ConfigFlags) => writeConfig(io, flags))
}

async function writeConfig(io: CliIo, flags: ConfigFlags): Promise<void> {
  const folder = resolve(io.cwd, flags.cniConfDir)
  if (flags.multusConfFile !== 'auto') return await copyConfig(io, resolve(io.cwd, flags.multusConfFile), folder)
  const sourceFolder = resolve(io.cwd, flags.multusAutoconfigDir ?? flags.cniConfDir)
  const primary = await findPrimary(sourceFolder, flags.multusMasterCniFileName)
  const { fileName, content } = build(primary, flags)
  await save(io, join(folder, fileName), `${JSON.stringify(content, undefined, 2)}\n`)
  if (!flags.renameConfFile) return
  await rename(primary.path, `${primary.path}.old`)
  note(io, `Renamed ${primary.path} to ${basename(primary.path)}.old.`)
}

function build(primary: FoundPrimary, flags: ConfigFlags): MultusConf {
  try {
    return buildMultusConf(primary, optionsOf(flags))
  } catch (cause) {
    throw new UsageError(describeError(cause), { fix: 'Correct --cni-version.', cause })
  }
}

function optionsOf(flags: ConfigFlags): MultusConfOptions {
  return {
    ...flags,
    confDir: flags.multusCniConfDir,
    binDir: flags.additionalBinDir,
    kubeconfig: flags.multusKubeconfigFileHost,
    logToStderr: flags.multusLogToStderr,
    logLevel: flags.multusLogLevel,
    logFile: flags.multusLogFile,
  }
}

/** A file that no runtime could read is not handed to it. */
async function copyConfig(io: CliIo, source: string, folder: string): Promise<void> {
  try {
    const text = await readFile(source, 'utf8')
    parseConfigList(text)
    await save(io, join(folder, basename(source)), text)
  } catch (cause) {
    throw new ConfigError('--multus-conf-file', `${source} cannot be used: ${describeError(cause)}`, {
      fix: 'Name a CNI configuration, or auto.',
      cause,
    })
  }
}

async function save(io: CliIo, path: string, text: string): Promise<void> {
  await writeFileAtomic(path, text, { mode: 0o600 })
  print(io, `Wrote ${path}.`)
}

function parseFlag(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new UsageError(`"${text}" is neither true nor false`)
}
