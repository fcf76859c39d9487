// Conversations in this browser's database. Nothing of them leaves the machine.
import type { Conversation } from "./conversation.js"

const storeName = "conversations"
let opening: Promise<IDBDatabase> | undefined

function database(): Promise<IDBDatabase> {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("cria", 1)
    request.addEventListener("upgradeneeded", () => {
      request.result.createObjectStore(storeName, { keyPath: "id" })
    })
    request.addEventListener("success", () => resolve(request.result))
    request.addEventListener("error", () => reject(request.error!))
  })
  return opening
}

async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(storeName, mode)
  const request = work(transaction.objectStore(storeName))
  return new Promise((resolve, reject) => {
    transaction.addEventListener("complete", () => resolve(request.result))
    transaction.addEventListener("error", () => reject(transaction.error!))
    transaction.addEventListener("abort", () => reject(transaction.error!))
  })
}

/** All of them, newest first. */
export async function loadConversations(): Promise<Conversation[]> {
  const all = await run<Conversation[]>("readonly", (store) => store.getAll())
  return all.toSorted((a, b) => b.updated - a.updated)
}

export async function saveConversation(conversation: Conversation): Promise<void> {
  await run("readwrite", (store) => store.put(conversation))
}

export async function deleteConversation(id: string): Promise<void> {
  await run("readwrite", (store) => store.delete(id))
}
