/** A group whose assignment no model can foresee, because the real assignor's answer is an accident. */
export class UnpredictableAssignment extends Error {
  override readonly name = "UnpredictableAssignment";
}
