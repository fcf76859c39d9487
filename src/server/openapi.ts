// The OpenAPI 3.1 document, made from the table of routes and the very schemas that check the bodies.
import * as z from "zod"
import type { Route } from "./routes.js"

const statuses: Readonly<Record<string, string>> = {
  400: "The request is malformed",
  401: "The API key is missing or unknown",
  404: "No such model or response",
  408: "The body came too slowly",
  413: "The body is too large",
  415: "The body is not JSON",
  429: "The queue is full; see Retry-After",
  503: "The server is shutting down or out of memory; see Retry-After",
}

export function openApi(routes: readonly Route[], version: string, secured: boolean): object {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { method, path, summary, body, streams, open } of routes) {
    const names = [...path.matchAll(/:(\w+)(?:\{[^}]*\})?/g)].map(([, name]) => name)
    const shown = path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}")
    const errors = Object.entries(statuses).filter(
      ([status]) => body || ["401", "404", "503"].includes(status),
    )
    ;(paths[shown] ??= {})[method] = {
      summary,
      operationId: `${method}${shown.replaceAll(/[^A-Za-z0-9]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
      ...(names.length > 0 && {
        parameters: names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      }),
      ...(body && {
        requestBody: {
          required: true,
          content: { "application/json": { schema: { $ref: `#/components/schemas/${idOf(body)}` } } },
        },
      }),
      responses: {
        200: {
          description: "Done",
          content: {
            "application/json": {},
            ...(streams && { "text/event-stream": {} }),
          },
        },
        ...Object.fromEntries(
          errors.map(([status, description]) => [
            status,
            {
              description,
              content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
            },
          ]),
        ),
      },
      ...(open && { security: [] }),
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: "Cria", version, description: "Llama 3.2 behind OpenAI's API." },
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
    },
    ...(secured && { security: [{ key: [] }] }),
  }
}

export const errorBody = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: "Error" })

const idOf = (schema: z.ZodType): string => z.globalRegistry.get(schema)!.id!

function componentSchemas(): Record<string, unknown> {
  const { schemas } = z.toJSONSchema(z.globalRegistry, {
    uri: (id) => `#/components/schemas/${id}`,
    io: "input",
    unrepresentable: "any",
  })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [
      id,
      Object.fromEntries(Object.entries(schema).filter(([key]) => !["$schema", "$id", "id"].includes(key))),
    ]),
  )
}
