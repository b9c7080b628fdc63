@echo off
setlocal
rem A checkpoint in, a verified ONNX net out. --help tells more.
call "%~dp0environment.bat" export
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m export %*
