import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import * as z from 'zod'
import { ConfigError, describeError } from '../base/errors.ts'
import { parseSchema } from '../base/parse-schema.ts'
import { type AdmissionConfig, admissionSchema } from './admission/admission-server.ts'

/** The configuration file of the controller (shape: networks/process-config.ts), with defaults filled in. */
export interface ControllerConfig {
  /** Absent: the service account of the controller's pod. */
  readonly kubeconfig?: string | undefined
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Raw settings by driver name, for the driver's parseSettings. */
  readonly networks: Readonly<Record<string, unknown>>
  /** The validating webhook; undefined: none. */
  readonly admission?: AdmissionConfig | undefined
}

const schema = z.strictObject({
  // The agent's; the file is the same.
  nodeName: z.string().optional(),
  agent: z.unknown().optional(),
  kubeconfig: z.string().min(1).optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  networks: z.record(z.string(), z.unknown()).default({}),
  admission: admissionSchema.optional(),
})

/** Throws ConfigError naming the file, and the field in it. */
export async function loadControllerConfig(path: string): Promise<ControllerConfig> {
  try {
    return parseControllerConfig(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new ConfigError(path, describeError(cause), {
      fix: 'Correct the configuration file of the controller.',
      cause,
    })
  }
}

/** Throws ConfigError naming the field. */
export function parseControllerConfig(text: string): ControllerConfig {
  return parseSchema(schema, parse(text))
}
