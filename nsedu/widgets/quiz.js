// What jupyterquiz leaves out: names for screen readers, and the arrow keys, which JupyterLab would
// take to go to another cell.  It builds its questions when it likes, so they are waited for.
(function dress(tries) {
  const area = typeof element === "undefined" ? document : element.closest(".jp-OutputArea") || document;
  const questions = [...area.querySelectorAll(".Quiz[data-qnum]")];
  if (!questions.length && tries) return setTimeout(() => dress(tries - 1), 200);
  for (const question of questions) {
    const asked = question.querySelector("[id^=quizQn]");
    const answers = question.querySelector(".Answer");
    for (const input of question.querySelectorAll("input"))
      input.setAttribute("data-lm-suppress-shortcuts", "true");
    answers.setAttribute("role", "radiogroup");
    answers.setAttribute("aria-labelledby", asked.id);
    question.querySelector(".Feedback").setAttribute("role", "status");
  }
})(50);
