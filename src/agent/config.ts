import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { parse } from 'yaml'
import * as z from 'zod'
import { ConfigError, describeError } from '../base/errors.ts'

/** The configuration file of the agent (shape: networks/process-config.ts), with defaults filled in. */
export interface AgentConfig {
  readonly nodeName: string
  readonly kubeconfig: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Raw settings by driver name, for the driver's parseSettings. */
  readonly networks: Readonly<Record<string, unknown>>
}

import { parseSchema } from '../base/parse-schema.ts'

const schema = z.strictObject({
  nodeName: z.string().min(1).optional(),
  kubeconfig: z.string().min(1),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  networks: z.record(z.string(), z.unknown()).default({}),
})

/** Throws ConfigError naming the file, or the field in it. */
export async function loadAgentConfig(path: string): Promise<AgentConfig> {
  try {
    return parseAgentConfig(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new ConfigError(path, describeError(cause), { fix: 'Correct the configuration file of the agent.', cause })
  }
}

/** Throws ConfigError naming the field. */
export function parseAgentConfig(text: string): AgentConfig {
  const config = parseSchema(schema, parse(text))
  return { ...config, nodeName: config.nodeName ?? hostname() }
}
