@echo off
setlocal
rem Lint, types and tests. Arguments go to pytest.
call "%~dp0environment.bat" test
if errorlevel 1 exit /b 1
cd /d "%~dp0.."
if not "%~1"=="" goto tests
"%TRANSCENDENCE_PYTHON%" -I -m ruff check . || exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m ruff format --check . || exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m mypy || exit /b 1
:tests
"%TRANSCENDENCE_PYTHON%" -I -m pytest %*
