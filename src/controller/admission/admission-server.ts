import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'
import { describeError } from '../../base/errors.ts'
import type { Lifecycle } from '../../base/lifecycle.ts'
import { watchFiles } from '../../kube/watch-files.ts'
import { createWebhook, type WebhookOptions } from './webhook.ts'

export const admissionSchema = z.strictObject({
  host: z.string().default('0.0.0.0'),
  port: z.int().min(0).max(65_535).default(9443),
  /** PEM; read again when they change. */
  certFile: z.string().min(1),
  keyFile: z.string().min(1),
  /** Pods may use definitions of their own namespace and of these only; as in the meta-plugin's configuration. */
  globalNamespaces: z.array(z.string()).optional(),
})

/** `admission` in the controller's configuration file. */
export type AdmissionConfig = z.infer<typeof admissionSchema>

export interface AdmissionServer extends Lifecycle {
  /** The port that it listens on, once started. */
  readonly port: number
}

/** The validating webhook's HTTPS server. `start` rejects when the certificate cannot be read or the port is taken. */
export function createAdmissionServer(
  config: AdmissionConfig,
  options: Omit<WebhookOptions, 'globalNamespaces'>,
): AdmissionServer {
  const { certFile, keyFile, host, port, globalNamespaces } = config
  const server = createServer({ requestTimeout: 10_000 }, createWebhook({ ...options, globalNamespaces }))
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  let endWatch: (() => void) | undefined
  const reload = (): void => {
    useCertificate(server, config).catch((error: unknown) =>
      options.log.warn({ error }, `the webhook keeps its certificate: ${describeError(error)}`),
    )
  }
  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? 0
    },
    async start(signal) {
      await options.definitions.start(signal)
      await useCertificate(server, config)
      endWatch = watchFiles([certFile, keyFile], reload)
      server.listen({ host, port })
      await once(server, 'listening')
    },
    async stop() {
      endWatch?.()
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Throws while only one of the two files is the new one: its own change comes next. */
async function useCertificate(server: Server, { certFile, keyFile }: AdmissionConfig): Promise<void> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
  server.setSecureContext({ cert, key })
}
