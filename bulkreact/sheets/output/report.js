"use strict";
// Filters, searches and sorts the rows that need attention; without it they are all there, in input order.
(() => {
  const table = document.getElementById("attention");
  if (!table) return;
  const byId = (id) => document.getElementById(id);
  const [search, status, reason, order] = ["search", "status", "reason", "order"].map(byId);
  const headers = Array.from(table.tHead.rows[0].cells);
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const rows = Array.from(table.tBodies[0].rows, (element) => ({
    element,
    cells: Array.from(element.cells, (cell) => cell.textContent.trim()),
    text: element.textContent.toLowerCase(),
    status: element.querySelector(".status").textContent.trim(),
    reason: element.querySelector(".reason").textContent.trim(),
    meaning: element.querySelector(".meaning").textContent.trim(),
  }));
  let sorted = { column: 0, descending: false };

  const addOption = (select, value, label) => {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = label;
    select.append(option);
  };
  const addValues = (select, name, describe) => {
    const found = new Map();
    for (const row of rows) {
      if (!found.has(row[name])) found.set(row[name], []);
      found.get(row[name]).push(row);
    }
    for (const [value, group] of found) addOption(select, value, `${describe(group[0])} (${group.length})`);
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const matches = (!status.value || row.status === status.value) && (!reason.value || row.reason === reason.value);
      row.element.hidden = !(matches && words.every((word) => row.text.includes(word)));
      shown += !row.element.hidden;
    }
    byId("matches").textContent = `${shown} of ${rows.length} rows shown.`;
  };
  const sort = (column, descending) => {
    sorted = { column, descending };
    const sign = descending ? -1 : 1;
    const inOrder = [...rows].sort((one, other) => sign * compare(one.cells[column], other.cells[column]));
    table.tBodies[0].append(...inOrder.map((row) => row.element));
    headers.forEach((header, index) => {
      if (index !== column) header.removeAttribute("aria-sort");
      else header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    });
    order.value = String(column);
  };
  const showAll = () => {
    search.value = status.value = reason.value = "";
    sort(0, false);
    filter();
  };

  headers.forEach((header, index) => {
    addOption(order, String(index), header.textContent.trim());
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(index, sorted.column === index && !sorted.descending));
    header.append(button);
  });
  addValues(status, "status", (row) => row.status);
  addValues(reason, "reason", (row) => `${row.reason}: ${row.meaning}`);
  search.addEventListener("input", filter);
  status.addEventListener("change", filter);
  reason.addEventListener("change", filter);
  order.addEventListener("change", () => sort(Number(order.value), false));
  byId("all").addEventListener("click", showAll);
  for (const link of document.querySelectorAll("a[data-reason]")) {
    link.addEventListener("click", () => {
      showAll();
      reason.value = link.dataset.reason;
      filter();
    });
  }
  byId("tools").hidden = false;
  showAll();
})();
