import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { parse } from 'yaml'
import * as z from 'zod'
import { ConfigError, describeError } from '../base/errors.ts'
import { parseSchema } from '../base/parse-schema.ts'
import { parseMetaConfig } from '../meta/net-conf.ts'
import { buildNetConf, defaultNetConfName } from './write-net-conf.ts'

/** The configuration file of the agent (shape: networks/process-config.ts), with defaults filled in. */
export interface AgentConfig {
  readonly nodeName: string
  /** Absent: the service account of the agent's pod. */
  readonly kubeconfig?: string | undefined
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Raw settings by driver name, for the driver's parseSettings. */
  readonly networks: Readonly<Record<string, unknown>>
  readonly agent: AgentSettings
}

/** What concerns the agent alone. */
export interface AgentSettings {
  /** Name of our file in net.d, and what it says beside version, name and type; absent: the routed network for all. */
  readonly netConf: { readonly fileName: string; readonly content?: Readonly<Record<string, unknown>> | undefined }
  /** ADDs and CHECKs worked on at once (of DELs and GCs four times as many), and how many of each lane may wait. */
  readonly maxConcurrent: number
  readonly maxWaiting: number
  /** `address:port` or the path of a unix socket for health and metrics; `off` for none. */
  readonly httpAddress: string
}

const agentSchema = z.strictObject({
  netConf: z
    .strictObject({
      fileName: z
        .string()
        .regex(/^[^/]+\.conf$/, 'must be a file name that ends in .conf')
        .default(defaultNetConfName),
      content: z.record(z.string(), z.unknown()).optional(),
    })
    .prefault({}),
  maxConcurrent: z.int().min(1).max(1000).default(16),
  maxWaiting: z.int().min(0).max(10_000).default(512),
  httpAddress: z
    .string()
    .regex(/^(off|\/.+|.+:\d{1,5})$/, 'must be address:port, the path of a unix socket or off')
    .default('127.0.0.1:9091'),
})

/** What holds when the file says nothing. */
export const defaultAgentSettings: AgentSettings = agentSchema.parse({})

const schema = z.strictObject({
  nodeName: z.string().min(1).optional(),
  kubeconfig: z.string().min(1).optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  networks: z.record(z.string(), z.unknown()).default({}),
  agent: agentSchema.prefault({}),
  // The controller's; the file may be the same.
  admission: z.unknown().optional(),
})

/** `ownName` is the node's where the file does not say. Throws ConfigError naming the file, or the field in it. */
export async function loadAgentConfig(path: string, ownName?: string): Promise<AgentConfig> {
  try {
    return parseAgentConfig(await readFile(path, 'utf8'), ownName)
  } catch (cause) {
    throw new ConfigError(path, describeError(cause), { fix: 'Correct the configuration file of the agent.', cause })
  }
}

/** Throws ConfigError naming the field. */
export function parseAgentConfig(text: string, ownName = hostname()): AgentConfig {
  const config = parseSchema(schema, parse(text))
  requireNetConf(config.agent.netConf.content)
  return { ...config, nodeName: config.nodeName ?? ownName }
}

/** A mistake in it is found at start, not by the first pod. */
function requireNetConf(content: Readonly<Record<string, unknown>> | undefined): void {
  if (content === undefined) return
  try {
    parseMetaConfig(buildNetConf(content))
  } catch (cause) {
    throw new ConfigError('agent.netConf.content', describeError(cause), { cause })
  }
}
